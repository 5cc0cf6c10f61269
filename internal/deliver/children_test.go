package deliver

var children = map[string]func([]string) error{}

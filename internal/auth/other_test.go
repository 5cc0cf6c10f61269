package auth

func otherJob(string) bool { return false }

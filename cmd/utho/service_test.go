package main

import (
	"encoding/json"
	"net/http"

	"github.com/utho/utho-cli/internal/sandbox"
)

// names are the names of all tokens the service has, seen past its faults.
func (s *service) names() ([]string, error) {
	req, err := http.NewRequest(http.MethodGet, sandbox.BaseURL+"/api", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	resp, err := s.plain.Transport().RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var doc struct {
		API []struct {
			Name string `json:"name"`
		} `json:"api"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		return nil, err
	}
	var names []string
	for _, t := range doc.API {
		names = append(names, t.Name)
	}
	return names, nil
}

package main

func umask(int) {}

package main

import (
	_ "embed"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
)

var version string

//go:embed assets/greeting.txt
var greeting string

func main() {
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(answer, "%s from version %s, user %d\n", greeting, version, os.Getuid())
	})
	listener, err := net.Listen("tcp", ":8080")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}

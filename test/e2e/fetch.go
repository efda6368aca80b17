// fetch.go - a static program without libc: fetches each URL at once, each on its own connection, and prints the bodies in
// order. Built with CGO_ENABLED=0 it makes its system calls itself and asks DNS itself; no preload shim could see it.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	type reply struct {
		body []byte
		err  error
	}
	client := &http.Client{Timeout: 30 * time.Second}
	replies := make([]chan reply, 0)
	for _, url := range os.Args[1:] {
		ch := make(chan reply, 1)
		replies = append(replies, ch)
		go func(url string) {
			r, err := client.Get(url)
			if err != nil {
				ch <- reply{nil, err}
				return
			}
			defer r.Body.Close()
			body, err := io.ReadAll(r.Body)
			ch <- reply{body, err}
		}(url)
	}
	for _, ch := range replies {
		r := <-ch
		if r.err != nil {
			fmt.Fprintln(os.Stderr, r.err)
			os.Exit(1)
		}
		os.Stdout.Write(r.body)
	}
}

// A client in Go for interoperability tests: commands come in as JSON lines, what became of each goes out as one.
//
// Messages are dynamic, made from the descriptors it is given: no generated code.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

type settings struct {
	Address     string // as gRPC writes them: HOST:PORT, unix:PATH
	Descriptors string // file of a FileDescriptorSet
	CA          string // PEM files; without a CA there is no TLS
	Certificate string
	Key         string
}

type command struct {
	Do          string // decide, stream, watch
	Calls       []json.RawMessage
	Service     string // watch
	TimeoutMs   int64
	Hold        bool // stream: do not say that there will be no more messages
	CancelAfter int  // stream, watch: cancel after so many answers
}

type result struct {
	Answers []json.RawMessage `json:"answers,omitempty"`
	Status  string            `json:"status,omitempty"` // watch: one a line
	Code    uint32            `json:"code"`
	Message string            `json:"message,omitempty"`
}

var (
	files   *protoregistry.Files
	channel *grpc.ClientConn
	out     = json.NewEncoder(os.Stdout)
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func read(path string) []byte {
	data, err := os.ReadFile(path)
	must(err)
	return data
}

// message makes an empty one of the service's package.
func message(name string) *dynamicpb.Message {
	found, err := files.FindDescriptorByName(protoreflect.FullName("interceptor.v1." + name))
	must(err)
	return dynamicpb.NewMessage(found.(protoreflect.MessageDescriptor))
}

func text(answer proto.Message) json.RawMessage {
	data, err := protojson.Marshal(answer)
	must(err)
	return data
}

func ending(err error) result {
	if err == nil || errors.Is(err, io.EOF) {
		return result{}
	}
	return result{Code: uint32(status.Code(err)), Message: status.Convert(err).Message()}
}

// decide asks all calls at once, each on a stream of its own.
func decide(ctx context.Context, asked command) result {
	answers := make([]json.RawMessage, len(asked.Calls))
	var all sync.WaitGroup
	for i, call := range asked.Calls {
		all.Add(1)
		go func() {
			defer all.Done()
			request, response := message("DecideRequest"), message("DecideResponse")
			must(protojson.Unmarshal(call, request))
			err := channel.Invoke(ctx, "/interceptor.v1.InterceptionService/Decide", request, response)
			if err == nil {
				answers[i] = text(response)
			} else {
				answers[i], _ = json.Marshal(ending(err))
			}
		}()
	}
	all.Wait()
	return result{Answers: answers}
}

func stream(ctx context.Context, asked command) (got result) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	both := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	open, err := channel.NewStream(ctx, both, "/interceptor.v1.InterceptionService/DecideStream")
	if err != nil {
		return ending(err)
	}
	go func() {
		for _, call := range asked.Calls {
			request := message("DecideStreamRequest")
			must(protojson.Unmarshal(call, request))
			if open.SendMsg(request) != nil {
				return
			}
		}
		if !asked.Hold {
			open.CloseSend()
		}
	}()
	var answers []json.RawMessage
	for {
		if asked.CancelAfter > 0 && len(answers) == asked.CancelAfter {
			cancel()
		}
		answer := message("DecideStreamResponse")
		if err := open.RecvMsg(answer); err != nil {
			got = ending(err)
			got.Answers = answers
			return got
		}
		answers = append(answers, text(answer))
	}
}

// watch says every status as it comes.
func watch(ctx context.Context, asked command) result {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request := &grpc_health_v1.HealthCheckRequest{Service: asked.Service}
	open, err := grpc_health_v1.NewHealthClient(channel).Watch(ctx, request)
	if err != nil {
		return ending(err)
	}
	for seen := 0; ; seen++ {
		if asked.CancelAfter > 0 && seen == asked.CancelAfter {
			cancel()
		}
		answer, err := open.Recv()
		if err != nil {
			return ending(err)
		}
		must(out.Encode(result{Status: answer.Status.String()}))
	}
}

func trust(given settings) credentials.TransportCredentials {
	if given.CA == "" {
		return insecure.NewCredentials()
	}
	chosen := &tls.Config{RootCAs: x509.NewCertPool()}
	chosen.RootCAs.AppendCertsFromPEM(read(given.CA))
	if given.Certificate != "" {
		own, err := tls.LoadX509KeyPair(given.Certificate, given.Key)
		must(err)
		chosen.Certificates = []tls.Certificate{own}
	}
	return credentials.NewTLS(chosen)
}

func main() {
	var given settings
	must(json.Unmarshal([]byte(os.Args[1]), &given))
	var set descriptorpb.FileDescriptorSet
	must(proto.Unmarshal(read(given.Descriptors), &set))
	var err error
	files, err = protodesc.NewFiles(&set)
	must(err)
	channel, err = grpc.NewClient(given.Address, grpc.WithTransportCredentials(trust(given)))
	must(err)
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return
		}
		must(err)
		var asked command
		must(json.Unmarshal(line, &asked))
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(asked.TimeoutMs)*time.Millisecond)
		what := map[string]func(context.Context, command) result{"decide": decide, "stream": stream, "watch": watch}
		must(out.Encode(what[asked.Do](ctx, asked)))
		cancel()
	}
}

// Asks about one call: `client SERVICE CALLER CALLEE`. The messages are generated (see README.md) into ./interceptorpb.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // a service that is not SERVING is as good as not there
	"google.golang.org/grpc/keepalive"

	pb "client/interceptorpb"
)

const (
	deadline = 50 * time.Millisecond
	config   = `{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}`
)

// decide never fails: without an answer in time the call goes through, as if nobody had been asked.
func decide(service *grpc.ClientConn, call *pb.DecideRequest) *pb.DecideResponse {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	answer := &pb.DecideResponse{}
	if service.Invoke(ctx, "/interceptor.v1.InterceptionService/Decide", call, answer) != nil {
		return &pb.DecideResponse{Verdict: pb.Verdict_VERDICT_PASS, Rule: "fail-open"}
	}
	return answer
}

// connect waits for the service, for a second at most, so that the first call need not.
func connect(service *grpc.ClientConn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	service.Connect()
	for state := service.GetState(); state != connectivity.Ready; state = service.GetState() {
		if !service.WaitForStateChange(ctx, state) {
			return
		}
	}
}

func main() {
	// One for the whole process; goroutines share it.
	service, err := grpc.NewClient(os.Args[1],
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(config),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: 10 * time.Second, Timeout: 2 * time.Second, PermitWithoutStream: true,
		}))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	defer service.Close()
	connect(service)
	answer := decide(service, &pb.DecideRequest{Caller: os.Args[2], Callee: os.Args[3]})
	fmt.Print(strings.TrimPrefix(answer.Verdict.String(), "VERDICT_"), " ", answer.Rule)
	if answer.Verdict == pb.Verdict_VERDICT_BLOCK {
		fmt.Print(" ", answer.SipCode, " ", answer.SipReason)
	}
	fmt.Println()
}

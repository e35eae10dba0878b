// Asks about one call: `node client.js SERVICE CALLER CALLEE`. Needs @grpc/grpc-js, @grpc/proto-loader and the contract,
// proto/interceptor/v1/interception.proto, in the directory that INTERCEPTOR_PROTO names.
"use strict";

const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const DEADLINE_MS = 50;
const FAIL_OPEN = { verdict: "VERDICT_PASS", rule: "fail-open" };

const [service, caller, callee] = process.argv.slice(2);
const contract = loader.loadSync("interceptor/v1/interception.proto", {
  includeDirs: [process.env.INTERCEPTOR_PROTO || "proto"],
  keepCase: true,
  enums: String,
  defaults: true,
});
const { InterceptionService } = grpc.loadPackageDefinition(contract).interceptor.v1;

// One for the whole process. A connection that died in silence is noticed, and one that is back is found, in a second or so.
const interceptor = new InterceptionService(service, grpc.credentials.createInsecure(), {
  "grpc.keepalive_time_ms": 5000,
  "grpc.keepalive_timeout_ms": 2000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1000,
  "grpc.enable_http_proxy": 0,
});

// Never fails: without an answer in time the call goes through, as if nobody had been asked.
function decide(call) {
  return new Promise((decided) => {
    const deadline = new Date(Date.now() + DEADLINE_MS);
    interceptor.decide(call, { deadline }, (error, answer) => decided(error ? FAIL_OPEN : answer));
  });
}

// Connects before the first call does.
interceptor.waitForReady(new Date(Date.now() + 1000), async () => {
  const answer = await decide({ caller, callee });
  const refused = answer.verdict === "VERDICT_BLOCK" ? [answer.sip_code, answer.sip_reason] : [];
  console.log(answer.verdict.replace("VERDICT_", ""), answer.rule, ...refused);
  interceptor.close();
});

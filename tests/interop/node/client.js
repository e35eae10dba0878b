// A client on @grpc/grpc-js for interoperability tests: commands come in as JSON lines, what became of each goes out as
// one. Its vocabulary is that of go/main.go.
"use strict";

const fs = require("fs");
const readline = require("readline");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const given = JSON.parse(process.argv[2]); // Address, Proto, Descriptors, CA, Certificate, Key
const FORM = { longs: String, enums: String };

const file = (name) => (name ? fs.readFileSync(name) : null);
const say = (result) => process.stdout.write(JSON.stringify(result) + "\n");
const ending = (status) => ({ code: status.code, message: status.details });

const credentials = given.CA
  ? grpc.credentials.createSsl(file(given.CA), file(given.Key), file(given.Certificate))
  : grpc.credentials.createInsecure();
const service = loader.loadSync("interceptor/v1/interception.proto", { ...FORM, includeDirs: [given.Proto] });
const health = loader.loadFileDescriptorSetFromBuffer(file(given.Descriptors), FORM);
const { InterceptionService } = grpc.loadPackageDefinition(service).interceptor.v1;
const { Health } = grpc.loadPackageDefinition(health).grpc.health.v1;
const switches = new InterceptionService(given.Address, credentials);
const watcher = new Health(given.Address, credentials);

const what = {
  // All calls at once, each on a stream of its own.
  async decide(asked, deadline) {
    const ask = (call) =>
      new Promise((answered) => {
        switches.decide(call, { deadline }, (error, response) => answered(error ? ending(error) : response));
      });
    return { answers: await Promise.all(asked.Calls.map(ask)), code: 0 };
  },

  stream(asked, deadline) {
    return new Promise((ended) => {
      const open = switches.decideStream({ deadline });
      const answers = [];
      open.on("data", (answer) => {
        answers.push(answer);
        if (answers.length === asked.CancelAfter) open.cancel();
      });
      open.on("error", () => {}); // it comes as a status, too
      open.on("status", (status) => ended({ answers, ...ending(status) }));
      for (const call of asked.Calls) open.write(call);
      if (!asked.Hold) open.end();
    });
  },

  // Says every status as it comes.
  watch(asked, deadline) {
    return new Promise((ended) => {
      const open = watcher.watch({ service: asked.Service }, { deadline });
      let seen = 0;
      open.on("data", (answer) => {
        say({ status: answer.status });
        if (++seen === asked.CancelAfter) open.cancel();
      });
      open.on("error", () => {});
      open.on("status", (status) => ended(ending(status)));
    });
  },
};

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    say(await what[asked.Do](asked, new Date(Date.now() + asked.TimeoutMs)));
  }
  switches.close();
  watcher.close();
})();

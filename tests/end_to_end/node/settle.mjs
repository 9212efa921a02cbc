// Settles one purchase with nothing but the .proto files, as a till's own program would.
//
// Standard input: {"address", "token", "protos": [folders], "request": a SettleRequest}.
// Standard output: {"settlement", "replayed"} or {"code", "details"}, as one JSON object.

import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";
import { readFileSync } from "node:fs";

const asked = JSON.parse(readFileSync(0, "utf8"));
// All services, although one is called: each file must be readable to others than protoc.
const services = ["registry", "binding", "account", "settlement", "clearing", "payment"];
const contract = grpc.loadPackageDefinition(
  protoLoader.loadSync(services.map((name) => `gongji/v1/${name}.proto`), {
    includeDirs: asked.protos,
    keepCase: true, // the contract's own names
    longs: String, // fen do not always fit into a JavaScript number
    enums: String,
    defaults: true,
  }),
);
const client = new contract.gongji.v1.SettlementService(
  asked.address,
  grpc.credentials.createInsecure(),
);
const metadata = new grpc.Metadata();
metadata.set("authorization", `Bearer ${asked.token}`);

client.Settle(asked.request, metadata, { deadline: Date.now() + 20_000 }, (error, answer) => {
  const shown = error ? { code: error.code, details: error.details } : answer;
  process.stdout.write(JSON.stringify(shown));
  client.close();
});

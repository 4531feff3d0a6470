export * as CodecContract from "./CodecContract.ts"

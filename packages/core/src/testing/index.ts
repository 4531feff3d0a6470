export * as AdapterContract from "./AdapterContract.ts"
export * as CodecContract from "./CodecContract.ts"

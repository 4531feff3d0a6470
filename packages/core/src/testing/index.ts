export * as AdapterContract from "./AdapterContract.ts"
export * as CodecContract from "./CodecContract.ts"
export * as IdempotencyStoreContract from "./IdempotencyStoreContract.ts"
export * as UnitOfWorkContract from "./UnitOfWorkContract.ts"

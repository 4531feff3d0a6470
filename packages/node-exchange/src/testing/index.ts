/** For tests of adapters: the same request over a socket and through an exchange. */
export { type Reception, type Twin, comparable, startTwin } from "./Twin.ts"

/**
 * For tests of adapters: the same request over a socket and through an exchange.
 *
 * @since 0.1.0
 */
export { type Reception, type Twin, comparable, startTwin } from "./Twin.ts"

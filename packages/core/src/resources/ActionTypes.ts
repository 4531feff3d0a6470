/** The types of a resource's actions, inferred from their definitions. */
import type * as Effect from "effect/Effect"
import type { Failure } from "../batch/Failure.ts"
import type { Action, ManyReplyOf, ReplyOf } from "./Action.ts"
import type { InputSchema } from "./ActionSchema.ts"

/** The types of one action. */
export interface ActionType {
  /** What clients send, before validation. */
  readonly sent: unknown
  /** What the action gets, after validation. */
  readonly input: unknown
  /** The values that the action succeeds with. */
  readonly output: unknown
  /** The errors that its effects fail with, other than failures; `mapError` gets them. */
  readonly error: unknown
}

/** The types of the actions of a resource, by name. */
export type ActionTypes = Readonly<Record<string, ActionType>>

/**
 * The definitions of actions. Each type parameter is an object type with one member per action.
 *
 * **Details** The compiler infers every parameter from the part of the definition that mentions it. The parts are therefore
 * separate, and their intersection is what an application writes.
 */
export type ActionDefinitions<Inputs, Sent, Outputs, Replies, ManyReplies> = {
  readonly [Name in keyof Inputs]: Omit<Action<Inputs[Name]>, "output">
} & {
  readonly [Name in keyof Sent]: { readonly input?: InputSchema<Sent[Name], unknown> | undefined }
} & {
  readonly [Name in keyof Outputs]: {
    readonly output?: Action<unknown, Outputs[Name]>["output"]
    readonly run?: ((...args: never) => ReplyOf<NoInfer<Outputs[Name]>>) | undefined
    readonly runMany?: ((...args: never) => ManyReplyOf<NoInfer<Outputs[Name]>>) | undefined
  }
} & {
  readonly [Name in keyof Replies]: { readonly run?: ((...args: never) => Replies[Name]) | undefined }
} & {
  readonly [Name in keyof ManyReplies]: { readonly runMany?: ((...args: never) => ManyReplies[Name]) | undefined }
}

/** The types of actions with these definitions. */
export type TypesOf<Inputs, Sent, Replies, ManyReplies> = {
  readonly [Name in keyof Sent]: {
    readonly sent: Sent[Name]
    readonly input: Member<Inputs, Name>
    readonly output: Exclude<
      ValueOf<Member<Replies, Name>> | ElementOf<ValueOf<Member<ManyReplies, Name>>>,
      Failure | Error
    >
    readonly error: Exclude<ErrorOf<Member<Replies, Name>> | ErrorOf<Member<ManyReplies, Name>>, Failure>
  }
}

/** The services that the effects of actions with these replies need. */
export type ServicesOf<Replies, ManyReplies> =
  | { [Name in keyof Replies]: ServicesOfReply<Replies[Name]> }[keyof Replies]
  | { [Name in keyof ManyReplies]: ServicesOfReply<ManyReplies[Name]> }[keyof ManyReplies]

type Member<Members, Name> = Name extends keyof Members ? Members[Name] : unknown

// An action that has no `run`, or no `runMany`, has the reply `unknown` there.
type ValueOf<Reply> = unknown extends Reply
  ? never
  : Reply extends Effect.Effect<infer Value, infer _Error, infer _Services>
    ? Value
    : Awaited<Reply>

type ElementOf<Values> = Values extends ReadonlyArray<infer Value> ? Value : never

type ErrorOf<Reply> = Reply extends Effect.Effect<infer _Value, infer Failed, infer _Services> ? Failed : never

type ServicesOfReply<Reply> = Reply extends Effect.Effect<infer _Value, infer _Error, infer Services> ? Services : never

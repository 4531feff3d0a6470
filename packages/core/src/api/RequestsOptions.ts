/** Options of JSON batches. */
import type { HeaderRulesOptions } from "../http/HeaderRules.ts"
import type { OptionGroup } from "../options/Option.ts"
import { anyFunction, flag, group, listOf, text } from "../options/OptionTypes.ts"
import type { OrderRequestsBy } from "../formats/requests/SubRequestDecoder.ts"
import type { BatchOptions } from "./BatchOptions.ts"

/** Options of one JSON batch. They override those that all endpoints share. */
export interface RequestsOptions<Request = unknown> extends BatchOptions<Request> {
  /** Which headers sub-requests get. Default: each rule has its own. */
  readonly headers?: HeaderRulesOptions | undefined
  /** Headers of replies that clients see, in addition to `location`, `etag` and `retry-after`. Default `[]`. */
  readonly exposeHeaders?: ReadonlyArray<string> | undefined
  /**
   * Returns whether a route writes through the transaction it runs in. A route that does not cannot be rolled back; it is
   * refused in atomic batches and groups. Default: every route is taken to do so.
   */
  readonly requireTransaction?: ((request: { readonly method: string; readonly url: string }) => boolean) | undefined
  /** Whether each sub-response with a body carries `Content-Type`, as clients of Microsoft Graph need it. Default `false`. */
  readonly contentType?: boolean | undefined
  /**
   * Returns the order key of a sub-request; sub-requests with the same key run in request order. Must not throw. Default: the
   * path for PUT, PATCH and DELETE, and none for the others.
   */
  readonly orderBy?: OrderRequestsBy | undefined
}

const page = "endpoints.md"

const headerNames = listOf(
  text("the name of a header", /^[!#$%&'*+.^_`|~0-9a-zA-Z-]+$/),
  `a list of header names such as ["x-api-key"]`,
)

/** Definitions of the rules for headers. */
export const headerRulesOptions = {
  inherit: { type: headerNames, default: [], page },
  allow: { type: headerNames, default: [], page: "security.md" },
  credentials: { type: headerNames, default: [], page: "security.md" },
  ownCredentials: { type: flag, default: false, page: "security.md" },
} satisfies OptionGroup<HeaderRulesOptions>

/** Definitions of the options that only JSON batches have. */
export const requestsOptions = {
  headers: { type: group<HeaderRulesOptions>(headerRulesOptions), defaultText: "each rule has its own", page },
  exposeHeaders: { type: headerNames, default: [], page },
  requireTransaction: {
    type: anyFunction(),
    defaultText: "every route is taken to do so",
    page: "strategies.md",
  },
  contentType: { type: flag, default: false, page },
  orderBy: {
    type: anyFunction(),
    defaultText: "the path for PUT, PATCH and DELETE, and none for the others",
    page: "strategies.md",
  },
} satisfies OptionGroup<Omit<RequestsOptions, keyof BatchOptions>>

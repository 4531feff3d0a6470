/** The service that reads batches: from an HTTP request to the operations of a codec. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type { Batch } from "../batch/Batch.ts"
import type { BatchError } from "../batch/BatchError.ts"
import type { Codec, DecodeOptions, Envelope } from "../batch/Codec.ts"
import type { HttpRequest } from "./HttpMessage.ts"
import { readEnvelope } from "./readBody.ts"

/** A batch that was read. */
export interface ParsedBatch<Input = unknown> {
  readonly envelope: Envelope
  readonly batch: Batch<Input>
}

/**
 * Reads the body of a request within the limits and hands it to the codec of the endpoint.
 *
 * **Details** Fails if the body or the envelope is wrong. A wrong operation is not an error: its result is set.
 */
export class BatchParser extends Context.Service<
  BatchParser,
  {
    readonly parse: <Input>(
      request: HttpRequest,
      codec: Codec<Input>,
      options: DecodeOptions,
    ) => Effect.Effect<ParsedBatch<Input>, BatchError>
  }
>()("@multistatus/core/BatchParser") {
  /** Reads JSON in UTF-8. */
  static readonly layer: Layer.Layer<BatchParser> = Layer.sync(BatchParser, () =>
    BatchParser.of({
      parse: (request, codec, options) =>
        Effect.flatMap(readEnvelope(request, options.limits, codec.list), (envelope) =>
          Effect.fromResult(Result.map(codec.decode(envelope, options), (batch) => ({ envelope, batch }))),
        ),
    }),
  )
}

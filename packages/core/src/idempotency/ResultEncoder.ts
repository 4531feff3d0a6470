/** Encodes the results of operations as the texts that a store keeps. */
import type { ValueFormat } from "../batch/Codec.ts"
import type { Operation } from "../batch/Operation.ts"
import type { IdempotencySettings } from "./IdempotencySettings.ts"
import type { OutcomeLedger } from "./OutcomeLedger.ts"
import * as StoredResult from "./StoredResult.ts"

/** Where one text is stored. */
export interface Destination {
  /** The place that a codec binds the text to. */
  readonly place: string
  /** Characters that the text may have. */
  readonly room: number
}

export class ResultEncoder {
  private readonly settings: IdempotencySettings
  private readonly format: ValueFormat
  private readonly ledger: OutcomeLedger

  constructor(settings: IdempotencySettings, format: ValueFormat, ledger: OutcomeLedger) {
    this.settings = settings
    this.format = format
    this.ledger = ledger
  }

  /**
   * Encodes the result of an operation. A result that the codec rejects, or for which there is no room, is reduced to a
   * stub. Where the codec rejects the stub as well, the ledger notes the operation as unencodable and the text is
   * undefined.
   *
   * **Details** The text comes as a promise only where it has to: a batch may have thousands of results and seldom a codec.
   */
  encode(operation: Operation, { place, room }: Destination): string | Promise<string | undefined> {
    const { codec, maxResultBytes } = this.settings
    const text = StoredResult.write(operation.result!, this.format, maxResultBytes)
    const fits = text.length <= room
    if (fits && codec === undefined) return text
    return this.encodeFirst(operation, place, fits ? text : undefined)
  }

  /** Whether several results may share a text. A codec binds each text to the place of one operation. */
  get canShare(): boolean {
    return this.settings.codec === undefined
  }

  /** Encodes several results as one text; undefined where not even two of them can share one. */
  encodeShared(operations: ReadonlyArray<Operation>, room: number): StoredResult.WrittenAll | undefined {
    const results = operations.map(({ result }) => result!)
    return StoredResult.writeAll(results, this.format, Math.min(this.settings.maxResultBytes, room))
  }

  private async encodeFirst(
    operation: Operation,
    place: string,
    text: string | undefined,
  ): Promise<string | undefined> {
    const stub = () => StoredResult.writeStub(operation.result!, this.format)
    for (const write of [() => text, stub]) {
      try {
        const written = write()
        if (written !== undefined) return await StoredResult.encode(written, place, this.settings.codec)
      } catch {
        // The codec may accept the stub, and must not spoil other operations.
      }
    }
    this.ledger.unencodable.add(operation)
    return undefined
  }
}

import { describe, expect, it } from "vitest"
import { failure } from "../../src/batch/Failure.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import { aesGcmResults } from "../../src/idempotency/aesGcmResults.ts"
import { BatchJournal } from "../../src/idempotency/BatchJournal.ts"
import { readJournal } from "../../src/idempotency/readJournal.ts"
import * as StoredResult from "../../src/idempotency/StoredResult.ts"
import { jsonValues } from "../../src/idempotency/jsonValues.ts"
import { operation } from "../support/operation.ts"

const batchKey = { key: "k".repeat(43), fingerprint: "f".repeat(43) }
const operations = Array.from({ length: 4 }, (_, index) => operation({ index }))
const at = (index: number) => operations[index]!
const unfinished = { isOver: false, isAmbiguous: () => false }
const over = { isOver: true, isAmbiguous: () => false }

const add = (journal: BatchJournal, ...indexes: ReadonlyArray<number>) => {
  for (const index of indexes) journal.add(at(index), `r${index}`)
}

const send = (journal: BatchJournal, standing = unfinished) => {
  const item = journal.next(operations, standing)
  return { action: item?.action, confirm: () => item !== undefined && journal.confirm(item) }
}

describe("a journal", () => {
  it("appends lines that the store does not have", () => {
    const journal = new BatchJournal(batchKey, 0)
    add(journal, 0, 1)
    const one = send(journal)
    expect(one.action).toEqual({ _tag: "append", at: 0, chunk: "0:2:r0\n1:2:r1\n" })
    expect(one.confirm()).toBe(false)
    expect(send(journal).action).toBeUndefined()
    add(journal, 2)
    expect(send(journal).action).toEqual({ _tag: "append", at: 14, chunk: "2:2:r2\n" })
  })

  it("repeats an unconfirmed chunk before it appends other lines", () => {
    const journal = new BatchJournal(batchKey, 0)
    add(journal, 0)
    const lost = send(journal)
    add(journal, 1, 2)
    const again = send(journal)
    expect(again.action).toEqual(lost.action)
    expect(again.confirm()).toBe(true)
    expect(send(journal).action).toEqual({ _tag: "append", at: 7, chunk: "1:2:r1\n2:2:r2\n" })
  })

  it("completes its record with all lines when the batch is over, and then sends nothing", () => {
    const journal = new BatchJournal(batchKey, 0)
    add(journal, 3, 0)
    send(journal)
    add(journal, 2, 1)
    const done = send(journal, over)
    expect(done.action).toEqual({ _tag: "complete", result: "0:2:r0\n1:2:r1\n2:2:r2\n3:2:r3\n" })
    done.confirm()
    expect(send(journal, over).action).toBeUndefined()
  })

  it("releases or extends its key when the batch is over, unless an operation is ambiguous", () => {
    expect(send(new BatchJournal(batchKey, 0), over).action).toEqual({ _tag: "release" })
    expect(send(new BatchJournal(batchKey, 0), { isOver: true, isAmbiguous: () => true }).action).toBeUndefined()
    expect(send(new BatchJournal(batchKey, 7), over).action).toEqual({ _tag: "extend" })
    expect(send(new BatchJournal(batchKey, 7), { isOver: true, isAmbiguous: () => true }).action).toBeUndefined()
  })

  it("has one line for an operation, however often its result is added", () => {
    const journal = new BatchJournal(batchKey, 0)
    add(journal, 0, 0, 1, 2)
    expect(send(journal, over).action).toEqual({ _tag: "append", at: 0, chunk: "0:2:r0\n1:2:r1\n2:2:r2\n" })
    add(journal, 0, 3)
    expect(send(journal, over).action).toMatchObject({ _tag: "complete", result: "0:2:r0\n1:2:r1\n2:2:r2\n3:2:r3\n" })
  })

  it("has one line for operations that share it, in request order", () => {
    const journal = new BatchJournal(batchKey, 0)
    journal.addShared([at(1), at(2)], "both")
    expect([0, 1, 2].map((index) => journal.has(at(index)))).toEqual([false, true, true])
    expect(send(journal).action).toEqual({ _tag: "append", at: 0, chunk: "1+2:4:both\n" })
    add(journal, 3, 0)
    expect(send(journal, over).action).toEqual({
      _tag: "complete",
      result: "0:2:r0\n1+2:4:both\n3:2:r3\n",
    })
  })

  it("is restored when a transaction is rolled back", () => {
    const journal = new BatchJournal(batchKey, 0)
    add(journal, 0)
    const doubtful = send(journal).action
    add(journal, 1)
    const room = journal.room
    const restore = journal.checkpoint()
    add(journal, 2, 3)
    send(journal).confirm()
    send(journal, over).confirm()
    restore()
    expect(journal.room).toBe(room)
    expect(operations.filter((operation) => journal.has(operation))).toEqual([at(0), at(1)])
    const again = send(journal)
    expect(again.action).toEqual(doubtful)
    expect(again.confirm()).toBe(true)
    expect(send(journal).action).toEqual({ _tag: "append", at: 7, chunk: "1:2:r1\n" })
    expect(journal.has(at(0))).toBe(true)
  })

  it("names a different place for every operation", () => {
    const journal = new BatchJournal(batchKey, 0)
    expect(new Set([batchKey.key, ...operations.map((each) => journal.placeOf(each))]).size).toBe(5)
  })
})

const write = (value: unknown) => StoredResult.write(OperationResult.success(value), jsonValues, 1e6)

const read = async (journal: string, codec?: StoredResult.ResultCodec) => {
  const { results: lines, isDamaged } = await readJournal(journal, batchKey, codec, jsonValues)
  return {
    isDamaged,
    results: new Map([...lines].map(([index, { result }]) => [index, result.failure?.code ?? result.value])),
  }
}

describe("reading a journal", () => {
  const several = (first: number, names: ReadonlyArray<string>, count = names.length) => {
    const results = names.map((name) => OperationResult.success({ name }, 201))
    const { text } = StoredResult.writeAll(results, jsonValues, 1e6)!
    return `${first}+${count}:${text.length}:${text}\n`
  }

  const line = (index: number, text: string) => `${index}:${text.length}:${text}\n`
  const texts = [write("a"), write("b\n1:1:x\n"), write("€😀")]
  const whole = texts.map((text, index) => line(index, text)).join("")

  it("finds the results of operations, whatever they contain", async () => {
    expect(await read(whole)).toEqual({
      isDamaged: false,
      results: new Map([
        [0, "a"],
        [1, "b\n1:1:x\n"],
        [2, "€😀"],
      ]),
    })
    expect(await read("")).toEqual({ isDamaged: false, results: new Map() })
  })

  it("finds whole lines where the journal is cut off anywhere, and reports the damage", async () => {
    const ends = [0, line(0, texts[0]!).length, whole.indexOf(line(2, texts[2]!))]
    for (let end = 0; end < whole.length; end++) {
      const { isDamaged, results } = await read(whole.slice(0, end))
      expect(isDamaged).toBe(!ends.includes(end))
      expect(results.size).toBe(ends.filter((start) => start > 0 && start <= end).length)
    }
  })

  it.each([
    ["two lines of an operation", line(0, texts[0]!) + line(0, texts[1]!)],
    ["a shared line and another line of one of its operations", line(2, texts[0]!) + several(1, ["b", "c"])],
    ["a wrong length", `0:1:${texts[0]}\n`],
    ["no index", `x:1:a\n`],
    ["text before the first line", `\n${whole}`],
    ["text behind the last line", `${whole}x`],
  ])("reports the damage of %s", async (_, journal) => {
    expect((await read(journal)).isDamaged).toBe(true)
  })

  it("finds the results of operations that share a line, and of lines behind it", async () => {
    const journal = line(0, texts[0]!) + several(1, ["b", "c", "d"]) + line(4, texts[1]!)
    expect(await read(journal)).toEqual({
      isDamaged: false,
      results: new Map<number, unknown>([
        [0, "a"],
        [1, { name: "b" }],
        [2, { name: "c" }],
        [3, { name: "d" }],
        [4, "b\n1:1:x\n"],
      ]),
    })
    const { results: lines } = await readJournal(journal, batchKey, undefined, jsonValues)
    expect([...lines.values()].map((each) => each.line).join("")).toBe(journal)
  })

  it.each([
    ["no operations", several(1, ["b", "c"], 0)],
    ["too many operations", several(1, ["b", "c"], 999_999_999)],
    ["more operations than results", several(1, ["b", "c"], 3)],
    ["fewer operations than results", several(1, ["b", "c"], 1)],
  ])("skips a shared line of %s, and reports the damage", async (_, damaged) => {
    expect(await read(damaged + line(3, texts[0]!))).toEqual({ isDamaged: true, results: new Map([[3, "a"]]) })
  })

  it("gives only the operations of an unreadable shared line an unknown outcome", async () => {
    expect(await read(several(1, ["b", "c"]).replace("all", "one") + line(3, texts[0]!))).toEqual({
      isDamaged: false,
      results: new Map([
        [1, "OUTCOME_UNKNOWN"],
        [2, "OUTCOME_UNKNOWN"],
        [3, "a"],
      ]),
    })
  })

  it("does not read shared lines where there is a codec", async () => {
    const codec = aesGcmResults(new Uint8Array(32))
    expect((await read(several(0, ["forged", "forged"]), codec)).results).toEqual(
      new Map([
        [0, "OUTCOME_UNKNOWN"],
        [1, "OUTCOME_UNKNOWN"],
      ]),
    )
  })

  it("gives the operation of an unreadable line an unknown outcome", async () => {
    expect(await read(line(0, "0x") + line(1, texts[0]!))).toEqual({
      isDamaged: false,
      results: new Map([
        [0, "OUTCOME_UNKNOWN"],
        [1, "a"],
      ]),
    })
  })

  it("does not read the encrypted line of another operation or another batch", async () => {
    const codec = aesGcmResults(new Uint8Array(32))
    const journal = new BatchJournal(batchKey, 0)
    const [one, other] = [
      await codec.encode(write("a"), journal.placeOf(at(0))),
      await codec.encode(write("b"), journal.placeOf(at(1))),
    ]
    expect((await read(line(0, one) + line(1, other), codec)).results).toEqual(
      new Map([
        [0, "a"],
        [1, "b"],
      ]),
    )
    expect((await read(line(1, one) + line(0, other), codec)).results).toEqual(
      new Map([
        [1, "OUTCOME_UNKNOWN"],
        [0, "OUTCOME_UNKNOWN"],
      ]),
    )
    const elsewhere = await readJournal(line(0, one), { ...batchKey, key: "x".repeat(43) }, codec, jsonValues)
    expect(elsewhere.results.get(0)?.result.failure).toMatchObject(
      failure("OUTCOME_UNKNOWN", expect.any(String) as never),
    )
  })
})

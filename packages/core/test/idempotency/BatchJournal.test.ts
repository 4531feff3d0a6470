import { describe, expect, it } from "vitest"
import { failure } from "../../src/batch/Failure.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import { aesGcmResults } from "../../src/idempotency/aesGcmResults.ts"
import { BatchJournal } from "../../src/idempotency/BatchJournal.ts"
import { readJournal } from "../../src/idempotency/readJournal.ts"
import * as StoredResult from "../../src/idempotency/StoredResult.ts"
import { jsonValues } from "../../src/idempotency/jsonValues.ts"
import { operation } from "../support/operation.ts"

const claim = { key: "k".repeat(43), fingerprint: "f".repeat(43) }
const operations = Array.from({ length: 4 }, (_, index) => operation({ index }))
const at = (index: number) => operations[index]!
const running = { isOver: false, isAmbiguous: () => false }
const over = { isOver: true, isAmbiguous: () => false }

const add = (journal: BatchJournal, ...indexes: ReadonlyArray<number>) => {
  for (const index of indexes) journal.add(at(index), `r${index}`)
}

const tell = (journal: BatchJournal, standing = running) => {
  const item = journal.next(operations, standing)
  return { action: item?.action, confirm: () => item !== undefined && journal.confirm(item) }
}

describe("a journal", () => {
  it("tells what was added since, after what the store has", () => {
    const journal = new BatchJournal(claim, 0)
    add(journal, 0, 1)
    const one = tell(journal)
    expect(one.action).toEqual({ _tag: "append", at: 0, chunk: "0:2:r0\n1:2:r1\n" })
    expect(one.confirm()).toBe(false)
    expect(tell(journal).action).toBeUndefined()
    add(journal, 2)
    expect(tell(journal).action).toEqual({ _tag: "append", at: 14, chunk: "2:2:r2\n" })
  })

  it("tells again, unchanged and alone, what was not confirmed", () => {
    const journal = new BatchJournal(claim, 0)
    add(journal, 0)
    const lost = tell(journal)
    add(journal, 1, 2)
    const again = tell(journal)
    expect(again.action).toEqual(lost.action)
    expect(again.confirm()).toBe(true)
    expect(tell(journal).action).toEqual({ _tag: "append", at: 7, chunk: "1:2:r1\n2:2:r2\n" })
  })

  it("tells everything when the batch is done, whatever was confirmed, and nothing any more then", () => {
    const journal = new BatchJournal(claim, 0)
    add(journal, 3, 0)
    tell(journal)
    add(journal, 2, 1)
    const done = tell(journal, over)
    expect(done.action).toEqual({ _tag: "complete", result: "0:2:r0\n1:2:r1\n2:2:r2\n3:2:r3\n" })
    done.confirm()
    expect(tell(journal, over).action).toBeUndefined()
  })

  it("of which nothing came is released, unless something may be going on", () => {
    expect(tell(new BatchJournal(claim, 0), over).action).toEqual({ _tag: "release" })
    expect(tell(new BatchJournal(claim, 0), { isOver: true, isAmbiguous: () => true }).action).toBeUndefined()
    expect(tell(new BatchJournal(claim, 7), over).action).toEqual({ _tag: "extend" })
    expect(tell(new BatchJournal(claim, 7), { isOver: true, isAmbiguous: () => true }).action).toBeUndefined()
  })

  it("keeps one line of an operation, however often it is added", () => {
    const journal = new BatchJournal(claim, 0)
    add(journal, 0, 0, 1, 2)
    expect(tell(journal, over).action).toEqual({ _tag: "append", at: 0, chunk: "0:2:r0\n1:2:r1\n2:2:r2\n" })
    add(journal, 0, 3)
    expect(tell(journal, over).action).toMatchObject({ _tag: "complete", result: "0:2:r0\n1:2:r1\n2:2:r2\n3:2:r3\n" })
  })

  it("tells what follows each other as one line, in its place", () => {
    const journal = new BatchJournal(claim, 0)
    journal.addShared([at(1), at(2)], "both")
    expect([0, 1, 2].map((index) => journal.has(at(index)))).toEqual([false, true, true])
    expect(tell(journal).action).toEqual({ _tag: "append", at: 0, chunk: "1+2:4:both\n" })
    add(journal, 3, 0)
    expect(tell(journal, over).action).toEqual({
      _tag: "complete",
      result: "0:2:r0\n1+2:4:both\n3:2:r3\n",
    })
  })

  it("is as it was when a transaction comes to nothing: what was in doubt, what waited, what room there is", () => {
    const journal = new BatchJournal(claim, 0)
    add(journal, 0)
    const doubtful = tell(journal).action
    add(journal, 1)
    const room = journal.room
    const restore = journal.checkpoint()
    add(journal, 2, 3)
    tell(journal).confirm()
    tell(journal, over).confirm()
    restore()
    expect([journal.room, journal.has(at(1)), journal.has(at(2)), journal.has(at(3))]).toEqual([
      room,
      true,
      false,
      false,
    ])
    const again = tell(journal)
    expect(again.action).toEqual(doubtful)
    expect(again.confirm()).toBe(true)
    expect(tell(journal).action).toEqual({ _tag: "append", at: 7, chunk: "1:2:r1\n" })
    expect(journal.has(at(0))).toBe(true)
  })

  it("names another place for every operation", () => {
    const journal = new BatchJournal(claim, 0)
    expect(new Set([claim.key, ...operations.map((each) => journal.placeOf(each))]).size).toBe(5)
  })
})

const write = (value: unknown) => StoredResult.write(OperationResult.success(value), jsonValues, 1e6)

const read = async (journal: string, codec?: StoredResult.ResultCodec) => {
  const { results: lines, isDamaged } = await readJournal(journal, claim, codec, jsonValues)
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

  it("finds the results of operations, whatever is in them", async () => {
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

  it("that was cut off anywhere finds whole lines alone, and says that there was more", async () => {
    const ends = [0, line(0, texts[0]!).length, whole.indexOf(line(2, texts[2]!))]
    for (let end = 0; end < whole.length; end++) {
      const { isDamaged, results } = await read(whole.slice(0, end))
      expect(isDamaged).toBe(!ends.includes(end))
      expect(results.size).toBe(ends.filter((start) => start > 0 && start <= end).length)
    }
  })

  it.each([
    ["a line twice", line(0, texts[0]!) + line(0, texts[1]!)],
    ["a line of several that has one of them again", line(2, texts[0]!) + several(1, ["b", "c"])],
    ["a length that is not that of the line", `0:1:${texts[0]}\n`],
    ["no number", `x:1:a\n`],
    ["something in front", `\n${whole}`],
    ["something behind", `${whole}x`],
  ])("with %s is damaged", async (_, journal) => {
    expect((await read(journal)).isDamaged).toBe(true)
  })

  it("finds the results of operations that share a line, and what follows them", async () => {
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
    const { results: lines } = await readJournal(journal, claim, undefined, jsonValues)
    expect([...lines.values()].map((each) => each.line).join("")).toBe(journal)
  })

  it.each([
    ["none", several(1, ["b", "c"], 0)],
    ["more than share one", several(1, ["b", "c"], 999_999_999)],
    ["more than there are", several(1, ["b", "c"], 3)],
    ["fewer than there are", several(1, ["b", "c"], 1)],
  ])(
    "finds nothing in a line said to be of %s, goes on behind it, and says that there was more",
    async (_, damaged) => {
      expect(await read(damaged + line(3, texts[0]!))).toEqual({ isDamaged: true, results: new Map([[3, "a"]]) })
    },
  )

  it("gives the operations of a line that cannot be read, and no others, an outcome that is not known", async () => {
    expect(await read(several(1, ["b", "c"]).replace("all", "one") + line(3, texts[0]!))).toEqual({
      isDamaged: false,
      results: new Map([
        [1, "OUTCOME_UNKNOWN"],
        [2, "OUTCOME_UNKNOWN"],
        [3, "a"],
      ]),
    })
  })

  it("reads no line of several operations where a codec protects them", async () => {
    const codec = aesGcmResults(new Uint8Array(32))
    expect((await read(several(0, ["forged", "forged"]), codec)).results).toEqual(
      new Map([
        [0, "OUTCOME_UNKNOWN"],
        [1, "OUTCOME_UNKNOWN"],
      ]),
    )
  })

  it("gives a line that cannot be read an outcome that is not known", async () => {
    expect(await read(line(0, "0x") + line(1, texts[0]!))).toEqual({
      isDamaged: false,
      results: new Map([
        [0, "OUTCOME_UNKNOWN"],
        [1, "a"],
      ]),
    })
  })

  it("does not take the encrypted line of another operation, or of another batch", async () => {
    const codec = aesGcmResults(new Uint8Array(32))
    const journal = new BatchJournal(claim, 0)
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
    const elsewhere = await readJournal(line(0, one), { ...claim, key: "x".repeat(43) }, codec, jsonValues)
    expect(elsewhere.results.get(0)?.result.failure).toMatchObject(
      failure("OUTCOME_UNKNOWN", expect.any(String) as never),
    )
  })
})

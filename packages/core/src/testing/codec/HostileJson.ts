/** JSON values that a hostile client may send, and a check that they have not polluted a prototype. */
import * as fc from "fast-check"

/** Member names that a careless lookup finds on a prototype. */
export const names: ReadonlyArray<string> = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "valueOf",
  "hasOwnProperty",
  "toJSON",
  "then",
  "length",
  "",
]

const nested = (depth: number, open: string, close: string): unknown =>
  JSON.parse(`${open.repeat(depth)}0${close.repeat(depth)}`)

const poisoned: ReadonlyArray<unknown> = [
  JSON.parse(`{"__proto__":{"polluted":true}}`),
  JSON.parse(`{"a":{"__proto__":{"polluted":true},"b":[{"__proto__":null}]}}`),
  JSON.parse(`{"constructor":{"prototype":{"polluted":true}}}`),
]

const peculiar: ReadonlyArray<unknown> = [
  ...poisoned,
  null,
  true,
  JSON.parse("1e400"),
  JSON.parse("-1e400"),
  -0,
  2 ** 53 + 2,
  1e-320,
  "\ud800",
  "a\udc00b",
  "\u0000",
  "\u2028",
  "@{".repeat(20_000),
  `${"@{a.".repeat(5_000)}${"}".repeat(5_000)}`,
  `@@@{${"@".repeat(20_000)}`,
  "x".repeat(200_000),
  "../".repeat(10_000),
  "%2e".repeat(10_000),
  [],
  {},
  [[]],
  [{}],
  nested(2_000, "[", "]"),
  nested(2_000, `{"a":`, "}"),
  Array.from({ length: 2_000 }, (_, index) => index),
]

/** Values that `JSON.parse` may return, and further ones that a host's own parser may return (bigints, dates). */
export const values: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...peculiar) },
  { weight: 2, arbitrary: fc.constantFrom(...names) },
  { weight: 2, arbitrary: fc.jsonValue() },
  {
    weight: 2,
    arbitrary: fc.anything({
      key: fc.oneof(fc.constantFrom(...names), fc.string()),
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
    }),
  },
)

/** Bodies that can only be sent as text, such as with duplicate member names; each is valid JSON. */
export const texts = (list: string): ReadonlyArray<string> => {
  const name = JSON.stringify(list)
  return [
    `{${name}:[],${name}:[{}]}`,
    `{${name}:[{}],${name}:7}`,
    `{${name}:[{"id":"a","id":{}}]}`,
    `{"__proto__":{${name}:[{}]}}`,
    `{"__proto__":null,${name}:[{"__proto__":{"polluted":true}}]}`,
    `{"constructor":{"prototype":{"polluted":true}},${name}:[{}]}`,
    `{${name}:[1e400,-1e400,-0,9007199254740993,1e-320]}`,
    `{${name}:["\\ud800","\\u0000","\\udc00\\ud800"]}`,
    `{${name}:{"length":1,"0":{}}}`,
    `{${name}:[[[[[]]]],[{}],null,true,"",0]}`,
    `{${name}:"${"@{".repeat(1_000)}"}`,
    `{${name}:[{"id":"${"9".repeat(100_000)}"}]}`,
    `{${name}:[${"[".repeat(2_000)}${"]".repeat(2_000)}]}`,
    `{"valueOf":1,"toString":1,"hasOwnProperty":1,${name}:[{"valueOf":1,"toString":1,"hasOwnProperty":1}]}`,
  ]
}

const prototypes: ReadonlyArray<object> = [Object.prototype, Array.prototype, Function.prototype, String.prototype]

/** Returns the members of the built-in prototypes, to be compared before and after a test. */
export const prototypeMembers = (): ReadonlyArray<ReadonlyArray<PropertyKey>> => prototypes.map(Reflect.ownKeys)

/** Whether a value has inherited the member `polluted` of a hostile body. */
export const isPolluted = (value: unknown): boolean => {
  const seen = new Set<unknown>()
  const pending = [value]
  while (pending.length > 0) {
    const current = pending.pop()
    if (typeof current !== "object" || current === null || seen.has(current)) continue
    seen.add(current)
    if ("polluted" in current && !Object.hasOwn(current, "polluted")) return true
    for (const name of Object.keys(current)) pending.push((current as Readonly<Record<string, unknown>>)[name])
  }
  return false
}

/** Charging a batch: one charge for all operations, next to one for each, and under several policies. */
import { randomBytes } from "node:crypto"

import { redisQuotaStore } from "@multistatus/store-redis"
import { startProxy, startRedis } from "@multistatus/test-services"
import { RateLimiterRedis } from "rate-limiter-flexible"

import { connectRedis } from "./connectRedis.ts"
import { type Case, measure, median, print } from "./Rounds.ts"

const size = 500
const redis = await startRedis()
// The proxy counts round trips. Counting takes time, so round trips and times are measured in separate runs.
await using proxy = await startProxy(redis.url, { quietMs: 2 })

const clients = [await connectRedis(redis.url), await connectRedis(proxy.url)]
const [direct, counted] = clients.map((client) => ({
  store: redisQuotaStore(client),
  limiter: new RateLimiterRedis({ storeClient: client, points: 1_000_000_000, duration: 60 }),
})) as [Side, Side]

interface Side {
  readonly store: ReturnType<typeof redisQuotaStore>
  readonly limiter: RateLimiterRedis
}

const subject = randomBytes(32).toString("base64url")

const charge = ({ store }: Side, policies: number): Promise<unknown> =>
  store.charge({
    subject,
    id: randomBytes(16).toString("base64url"),
    minimum: size,
    demands: Array.from({ length: policies }, (_, index) => ({
      policy: `policy-${index}`,
      limit: 1_000_000_000_000,
      windowMs: 60_000,
      base: 0,
      runs: [{ count: size, cost: 1000 }],
    })),
  })

const oneByOne = async ({ limiter }: Side): Promise<void> => {
  for (let operation = 0; operation < size; operation++) await limiter.consume("caller", 1)
}

const cases: ReadonlyArray<Case> = [
  { name: `a batch of ${size} charged at once`, run: () => charge(direct, 1) },
  { name: `the same under three policies`, run: () => charge(direct, 3) },
  { name: `${size} single consumes of rate-limiter-flexible, sequential`, run: () => oneByOne(direct) },
]

// A charge takes a fraction of a millisecond, so a measurement repeats it.
const single = await measure(cases.slice(0, 2), { rounds: 21, repeat: 200, warmUp: 3 })
const times = await measure(cases, { rounds: 15, warmUp: 3 })
print("Charging a batch on Redis", cases, times)

const trips = async (run: () => Promise<unknown>): Promise<number> => {
  const before = proxy.roundTrips()
  await run()
  return proxy.roundTrips() - before
}
await charge(counted, 1)
const atOnce = await trips(() => charge(counted, 1))
const singly = await trips(() => oneByOne(counted))

const lines: ReadonlyArray<readonly [string, string]> = [
  ["round trips: at once, and one by one", `${atOnce} and ${singly}`],
  ["one by one, to at once", `${median(times.map((round) => round[2]! / round[0]!)).toFixed(0)} ×`],
  ["three policies, to one", `${median(single.map((round) => round[1]! / round[0]!)).toFixed(2)} ×`],
]
console.log()
for (const [name, figure] of lines) console.log(`  ${name.padEnd(64)} ${figure.padStart(12)}`)

for (const client of clients) client.disconnect()
await redis.stop()

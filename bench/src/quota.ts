/** What charging a batch costs: once for all of its operations against one by one, and under several policies. */
import { randomBytes } from "node:crypto"

import { checkRedis, redisClient, redisQuotaStore } from "@multistatus/store-redis"
import { startProxy, startRedis } from "@multistatus/test-services"
import { RateLimiterRedis } from "rate-limiter-flexible"

import { type Case, measure, median, print } from "./Rounds.ts"

const size = 500
const redis = await startRedis()
// What waits for an answer is counted on the way, in a run of its own: counting takes time.
await using proxy = await startProxy(redis.url, { quietMs: 2 })

const connect = async (url: string) => {
  const client = redisClient(url)
  client.on("error", () => undefined)
  await checkRedis(client)
  return client
}

const clients = [await connect(redis.url), await connect(proxy.url)]
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
  { name: `a batch of ${size} charged in one step`, run: () => charge(direct, 1) },
  { name: `the same under three policies`, run: () => charge(direct, 3) },
  { name: `${size} single consumes of rate-limiter-flexible, awaited`, run: () => oneByOne(direct) },
]

// A charge takes a fraction of a millisecond, so many of them are one measurement.
const single = await measure(cases.slice(0, 2), { rounds: 21, repeat: 200, warmUp: 3 })
const times = await measure(cases, { rounds: 15, warmUp: 3 })
print("Charging a batch on Redis", cases, times)

const trips = async (run: () => Promise<unknown>): Promise<number> => {
  const before = proxy.roundTrips()
  await run()
  return proxy.roundTrips() - before
}
await charge(counted, 1)
const once = await trips(() => charge(counted, 1))
const many = await trips(() => oneByOne(counted))

const lines: ReadonlyArray<readonly [string, string]> = [
  ["round trips: in one step, and one by one", `${once} and ${many}`],
  ["one by one, to one step", `${median(times.map((round) => round[2]! / round[0]!)).toFixed(0)} ×`],
  ["three policies, to one", `${median(single.map((round) => round[1]! / round[0]!)).toFixed(2)} ×`],
]
console.log()
for (const [what, figure] of lines) console.log(`  ${what.padEnd(64)} ${figure.padStart(12)}`)

for (const client of clients) client.disconnect()
await redis.stop()

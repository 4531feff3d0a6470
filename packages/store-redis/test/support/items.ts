import { createHash, randomBytes } from "node:crypto"

export const hashOf = (text: string): string => createHash("sha256").update(text).digest("base64url")

export const owner = (): string => randomBytes(16).toString("base64url")

export const fingerprint = hashOf("fingerprint")

export const claims = (count: number, name: string) =>
  Array.from({ length: count }, (_, index) => ({
    key: hashOf(`${name} ${index}`),
    fingerprint,
    mode: "retry" as const,
  }))

export const completions = (count: number, name: string) =>
  claims(count, name).map(({ key }) => ({
    key,
    fingerprint,
    action: { _tag: "complete" as const, result: `{"of":"${key}"}` },
  }))

export const times = (who = owner()) => ({
  owner: who,
  leaseMs: 30_000,
  pendingTtlMs: 60_000,
  resultTtlMs: 86_400_000,
})

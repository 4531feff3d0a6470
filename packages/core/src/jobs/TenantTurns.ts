/**
 * Decides whose chunk runs next, so that tenants share the workers: the chunk of each tenant in turn.
 *
 * **Details** A ref that the queue delivers lets one chunk run, but not always its own. If another tenant is due before the tenant
 * of the ref, the chunk of that tenant starts in its place, and a later ref starts the chunk that was passed over. So a queue
 * needs no notion of tenants.
 *
 * Turns are start tags of fair queuing: a tenant with the weight `w` takes `1/w` of a turn with each chunk, and a tenant that
 * was idle starts with the current turn. Each process counts its own turns.
 */
import type { ChunkRef, DueChunk, StartedChunk } from "./Job.ts"
import type { JobStore } from "./JobStore.ts"

/** Options of the turns. */
export interface TenantTurnsOptions {
  readonly store: JobStore
  /** Share of a tenant in relation to others; undefined if all are equal. */
  readonly weightOf: ((tenant: string | undefined) => number) | undefined
}

/** Milliseconds for which the chunks that are due are not read again. */
const freshMs = 100

/** Maximum number of tenants that one read returns. */
const tenantsAtOnce = 100

/** Maximum number of tenants and jobs to remember. */
const rememberedTenants = 10_000

type Tenant = string | undefined

export class TenantTurns {
  private readonly options: TenantTurnsOptions
  /** The end of the last turn of each tenant. */
  private readonly ends = new Map<Tenant, number>()
  private readonly tenants = new Map<string, Tenant>()
  private current = 0
  private due: Promise<ReadonlyArray<DueChunk>> | undefined
  private isShared = false
  private readAt = Number.NEGATIVE_INFINITY

  constructor(options: TenantTurnsOptions) {
    this.options = options
  }

  /** Starts the chunk that is next: that of the ref, or one of another tenant. Undefined if nothing is due. */
  async start(ref: ChunkRef): Promise<StartedChunk | undefined> {
    const own = () => this.options.store.start(ref)
    const due = [...(await this.readDue())].sort((left, right) => this.turnOf(left.tenant) - this.turnOf(right.tenant))
    const tenant = due.length === 0 ? undefined : await this.tenantOf(ref.job)
    // A tenant that has nothing due is not passed: its worker has died, and the queue delivers the ref again.
    const before = Math.max(
      0,
      due.findIndex((other) => other.tenant === tenant),
    )
    const inPlace = due.map((other) => () => this.startInPlace(other))
    const attempts = [...inPlace.slice(0, before), own, ...inPlace.slice(before)]
    for (const attempt of attempts) {
      const started = await attempt()
      if (started === undefined) continue
      this.take(started)
      return started
    }
    return undefined
  }

  /** Whether a chunk of another tenant is due before the next one of this tenant. */
  async isPassed(tenant: Tenant): Promise<boolean> {
    const end = this.ends.get(tenant) ?? 0
    return (await this.readDue()).some((other) => other.tenant !== tenant && this.turnOf(other.tenant) < end)
  }

  // The chunk is held by a dispatch that no ref has, so that its own ref, which the queue still has, does not start it again.
  private startInPlace({ job, chunk }: DueChunk): Promise<StartedChunk | undefined> {
    const dispatch = 2 ** 30 + Math.floor(Math.random() * 2 ** 30)
    return this.options.store.start({ job, chunk, dispatch })
  }

  private turnOf(tenant: Tenant): number {
    return Math.max(this.current, this.ends.get(tenant) ?? 0)
  }

  private take({ job: { id, tenant } }: StartedChunk): void {
    const turn = this.turnOf(tenant)
    this.current = turn
    const weight = this.options.weightOf?.(tenant) ?? 1
    this.ends.set(tenant, turn + 1 / (weight > 0 ? weight : 1))
    this.tenants.set(id, tenant)
    if (this.tenants.size > rememberedTenants) this.tenants.clear()
    if (this.ends.size > rememberedTenants) {
      for (const [other, end] of this.ends) if (end <= this.current) this.ends.delete(other)
    }
    // Turns are exact while tenants compete. A tenant alone does not pay for that.
    if (this.isShared) this.readAt = Number.NEGATIVE_INFINITY
  }

  private async tenantOf(id: string): Promise<Tenant> {
    if (!this.tenants.has(id)) this.tenants.set(id, (await this.options.store.find(id))?.tenant)
    return this.tenants.get(id)
  }

  private async readDue(): Promise<ReadonlyArray<DueChunk>> {
    const { store } = this.options
    if (store.due === undefined) return []
    if (performance.now() - this.readAt > freshMs) {
      this.readAt = performance.now()
      this.due = store.due(tenantsAtOnce)
      // An error is that of the call that waits for it. The next one reads again.
      this.due.catch(() => (this.readAt = Number.NEGATIVE_INFINITY))
    }
    const due = (await this.due) ?? []
    this.isShared = due.length > 1
    return due
  }
}

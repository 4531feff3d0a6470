/** Reads of jobs that many requests wait for at once: one read of a job serves all that ask at about the same time. */
import type { ForgottenJob, JobStore } from "./JobStore.ts"
import type { JobRecord } from "./Job.ts"

type Found = JobRecord | ForgottenJob | undefined

interface Look {
  readonly at: number
  readonly found: Promise<Found>
}

/** Number of jobs above which old reads are dropped. */
const manyJobs = 100

/** Milliseconds after which a read is dropped. */
const oldMs = 1000

export class JobLooks {
  private readonly store: Pick<JobStore, "find">
  private readonly looks = new Map<string, Look>()

  constructor(store: Pick<JobStore, "find">) {
    this.store = store
  }

  /** Finds a job. The record is at most `freshMs` milliseconds older than this call. */
  find(id: string, freshMs: number): Promise<Found> {
    const now = performance.now()
    const last = this.looks.get(id)
    if (last !== undefined && now - last.at < freshMs) return last.found
    if (this.looks.size > manyJobs) {
      for (const [other, { at }] of this.looks) if (now - at > oldMs) this.looks.delete(other)
    }
    const look = { at: now, found: this.store.find(id) }
    this.looks.set(id, look)
    look.found.catch(() => {
      if (this.looks.get(id) === look) this.looks.delete(id)
    })
    return look.found
  }
}

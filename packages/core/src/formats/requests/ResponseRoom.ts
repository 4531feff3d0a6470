/** How much of a batch's response is still free. The replies of a batch share it while their handlers write. */

/** The room in the response of one batch. */
export class ResponseRoom {
  private freeBytes: number

  /** `bytes` is the maximum size of the response. */
  constructor(bytes: number) {
    this.freeBytes = bytes
  }

  /** Takes room for the reply to one sub-request. */
  share(): ResponseShare {
    return new ResponseShare(this)
  }

  /** Takes bytes, or gives them back if negative. Returns false if they are not free. */
  take(bytes: number): boolean {
    if (bytes > this.freeBytes) return false
    this.freeBytes -= bytes
    return true
  }
}

/** The room of one reply. */
export class ResponseShare {
  private readonly room: ResponseRoom
  /** Bytes that the reply has taken so far. */
  takenBytes = 0
  private isOpen = true

  constructor(room: ResponseRoom) {
    this.room = room
  }

  /** Whether the whole reply has fitted so far. */
  get fits(): boolean {
    return this.isOpen
  }

  /** Takes room for the next bytes of the reply. Where they do not fit, all of the reply's room becomes free again. */
  readonly keep = (bytes: number): boolean => this.isOpen && this.resize(this.takenBytes + bytes)

  /** Takes room for a reply of this many bytes in all, as they stand in the response. */
  resize(bytes: number): boolean {
    if (!this.isOpen || !this.room.take(bytes - this.takenBytes)) {
      this.release()
      return false
    }
    this.takenBytes = bytes
    return true
  }

  /** Gives all of the room back. Nothing more fits afterwards. */
  release(): void {
    this.isOpen = false
    this.room.take(-this.takenBytes)
    this.takenBytes = 0
  }
}

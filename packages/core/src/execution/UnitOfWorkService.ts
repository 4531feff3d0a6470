/** The service of transactions. */
import * as Context from "effect/Context"
import type * as Port from "./UnitOfWork.ts"

/** The unit of work that the engine opens transactions with. Without one, batches cannot be atomic. */
export class UnitOfWork extends Context.Service<UnitOfWork, Port.UnitOfWork>()("@multistatus/core/UnitOfWork") {}

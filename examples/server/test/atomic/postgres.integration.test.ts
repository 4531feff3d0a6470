import { scenarios } from "./scenarios.ts"

scenarios("postgres", ["express", "fastify"])

/** kafkajs has types for its public part only; those of its internals are in `kafkajs.ts`. */
declare module "kafkajs/src/*";

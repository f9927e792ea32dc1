// Writes answers whose tensors are large: workers write the numbers into shared memory, and what is sent is that memory.
// The main thread makes the text around them. Where there is no memory for it, the main thread writes the answer, a long one part by part.
// What answers hold until they are read is bounded: slow readers do not take the models' memory.

import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { answerPieces, stringifyAnswer } from '../tensor/json.js';
import { numbersText } from '../tensor/json-text.js';
import { rawBytes } from '../tensor/raw.js';
import { byteLength, numel, type Shape } from '../tensor/shape.js';
import { TensorValue } from '../tensor/tensor-value.js';
import { HeldTensor, tensorsIn } from './held-tensor.js';
import type { Region, SharedMemory } from './memory.js';
import type { Pool } from './pool.js';
import { textRoom, type Layout } from './text.js';

/** Below, the main thread writes the numbers itself: a worker's call takes as long (bench/body). */
const LEAST_NUMBERS = 2048;

/** The most memory for one answer's text: a 256×1024 answer needs 6 MiB. Longer texts go through memory part by part. */
const WHOLE_BYTES = 16 * 2 ** 20;

/** Numbers in a part. Two parts are in the making at a time. */
const PART_NUMBERS = 65_536;

/** The same where the main thread writes them, one part in a turn: two milliseconds. */
const HERE_NUMBERS = 16_384;

/** Text in shared memory, or a stream of it; right until it is released, which is to be done once. */
export interface WrittenAnswer {
  readonly body: Buffer | Readable;
  release(): void;
}

type Piece = string | HeldTensor;

/** Some of a tensor's numbers, and what they need. */
interface Part {
  readonly tensor: HeldTensor;
  readonly part: { readonly from: number; readonly to: number };
}

export interface AnswerWriterOptions {
  readonly memory: SharedMemory;
  readonly pool: Pick<Pool, 'call'>;
  /** Of all answers that are not released. */
  readonly limitBytes: number;
}

export class AnswerWriter {
  private readonly memory: SharedMemory;
  private readonly pool: Pick<Pool, 'call'>;
  private readonly limitBytes: number;
  private used = 0;

  constructor({ memory, pool, limitBytes }: AnswerWriterOptions) {
    this.memory = memory;
    this.pool = pool;
    this.limitBytes = limitBytes;
  }

  /** A tensor's own bytes, from where they stand; a held one is let go when the answer is released, or copied now. */
  raw(tensor: TensorValue): WrittenAnswer {
    const body = rawBytes(tensor);
    if (!(tensor instanceof HeldTensor)) return { body, release: () => undefined };
    const { heldBytes } = tensor;
    if (this.used + heldBytes > this.limitBytes) {
      const copy = Buffer.from(body);
      tensor.release();
      return { body: copy, release: () => undefined };
    }
    this.used += heldBytes;
    return {
      body,
      release: () => {
        this.used -= heldBytes;
        tensor.release();
      },
    };
  }

  /** Whether there is anything in a body that is not written just as well by stringifyAnswer. */
  takes(body: Record<string, unknown>): boolean {
    return tensorsIn(body).some(
      (tensor) => tensor instanceof HeldTensor || tensor.data.length >= LEAST_NUMBERS,
    );
  }

  /**
   * The text that stringifyAnswer makes of the body, whose held tensors are let go as soon as they are not needed any
   * more. Rejects with WorkerLostError or PoolClosedError.
   */
  async write(body: Record<string, unknown>, layout: Layout): Promise<string | WrittenAnswer> {
    const held = tensorsIn(body).filter((tensor) => tensor instanceof HeldTensor);
    const letGo = (): void => {
      for (const tensor of held) tensor.release();
    };
    const pieces = answerPieces(body, { layout, least: LEAST_NUMBERS });
    let streams = false;
    try {
      if (pieces.length === 1) return pieces[0] as string;
      const placed = this.place(pieces, held);
      const whole = placed && (await this.whole(placed, layout));
      if (whole) return whole;
      if (roomOf(pieces, layout) <= WHOLE_BYTES) return stringifyAnswer(body, { layout });
      streams = true;
      return (placed && this.stream(placed, layout, letGo)) ?? streamHere(pieces, layout, letGo);
    } finally {
      if (!streams) letGo();
    }
  }

  /** Gives tensors outside of shared memory a place in it, as one more to let go; undefined where there is none. */
  private place(pieces: readonly (string | TensorValue)[], held: HeldTensor[]): Piece[] | undefined {
    const placed: Piece[] = [];
    for (const piece of pieces) {
      if (typeof piece === 'string' || piece instanceof HeldTensor) {
        placed.push(piece);
        continue;
      }
      const { shape, dtype } = piece;
      const region = this.memory.attempt(byteLength(shape, dtype), held[0]?.segment);
      if (!region) return undefined;
      const tensor = new HeldTensor(this.memory, region, { address: region.address, shape, dtype });
      (tensor.data as Float32Array).set(piece.data as Float32Array);
      held.push(tensor);
      placed.push(tensor);
    }
    return placed;
  }

  /** All of it in one region; undefined where it is long, or there is no room. */
  private async whole(pieces: readonly Piece[], layout: Layout): Promise<WrittenAnswer | undefined> {
    const bytes = roomOf(pieces, layout);
    const region = bytes <= WHOLE_BYTES ? this.take(bytes, segmentOf(pieces)) : undefined;
    if (!region) return undefined;
    const text = this.bytesOf(region);
    try {
      let end = 0;
      for (const piece of pieces) {
        end +=
          typeof piece === 'string'
            ? text.write(piece, end)
            : await this.call({ tensor: piece }, layout, region, end);
      }
      return { body: text.subarray(0, end), release: () => this.give(region) };
    } catch (error) {
      this.give(region);
      throw error;
    }
  }

  /** Part by part through two rooms; undefined where there is no room for these. */
  private stream(pieces: readonly Piece[], layout: Layout, letGo: () => void): WrittenAnswer | undefined {
    const parts = pieces.flatMap((piece): (string | Part)[] =>
      typeof piece === 'string' ? [piece] : partsOf(piece),
    );
    const bytes = Math.max(
      ...parts.map((part) => (typeof part === 'string' ? 0 : textRoom(part.tensor, layout, part.part))),
    );
    const rooms: Region[] = [];
    let begun = false;
    const free = (): void => {
      for (const room of rooms.splice(0)) this.give(room);
    };
    for (let i = 0; i < 2; i++) {
      const room = this.take(bytes, segmentOf(pieces));
      if (room) rooms.push(room);
    }
    if (rooms.length < 2) return void free();
    const texts = this.texts(parts, layout, rooms);
    const run = async function* (): AsyncGenerator<Buffer> {
      begun = true;
      try {
        yield* texts;
      } finally {
        free();
      }
    };
    const body = Readable.from(run(), { objectMode: false });
    const release = (): void => {
      letGo();
      // An answer that waited behind another one is not ended by its connection: nobody reads on, and nobody says so.
      body.destroy();
      if (!begun) free();
    };
    return { body, release };
  }

  /** Each part's text, copied out of its room: the room is the next part's when a slow reader still has the text. */
  private async *texts(
    parts: readonly (string | Part)[],
    layout: Layout,
    rooms: readonly Region[],
  ): AsyncGenerator<Buffer> {
    const numbers = parts.filter((part): part is Part => typeof part !== 'string');
    const begin = (i: number): Promise<Buffer> => {
      const room = rooms[i % rooms.length]!;
      const text = this.call(numbers[i]!, layout, room, 0).then((end) =>
        Buffer.from(this.bytesOf(room).subarray(0, end)),
      );
      text.catch(() => undefined); // told when its turn comes
      return text;
    };
    const begun = numbers.slice(0, rooms.length).map((_, i) => begin(i));
    let done = 0;
    try {
      for (const part of parts) {
        if (typeof part === 'string') {
          yield Buffer.from(part);
          continue;
        }
        const text = await begun[done]!;
        if (done + rooms.length < numbers.length) begun.push(begin(done + rooms.length));
        done++;
        yield text;
      }
    } finally {
      // A worker may still be writing into a room.
      await Promise.allSettled(begun);
    }
  }

  private call(
    { tensor, part }: { tensor: HeldTensor; part?: Part['part'] },
    layout: Layout,
    region: Region,
    at: number,
  ): Promise<number> {
    const { segment, address, shape, dtype } = tensor;
    const place = { out: region.address + at, room: region.bytes - at };
    const order = { tensor: { address, shape, dtype }, layout, ...place };
    return this.pool.call('writeText', { segment, ...order, ...(part && { part }) });
  }

  private take(bytes: number, segment: number | undefined): Region | undefined {
    if (this.used + bytes > this.limitBytes) return undefined;
    const region = this.memory.attempt(bytes, segment);
    if (region) this.used += bytes;
    return region;
  }

  private give(region: Region): void {
    this.used -= region.bytes;
    this.memory.release(region);
  }

  private bytesOf(region: Region): Buffer {
    const { data } = this.memory.tensor(region, [region.bytes], 'bool');
    return Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  }
}

function roomOf(pieces: readonly (string | TensorValue)[], layout: Layout): number {
  return pieces.reduce(
    (sum, piece) => sum + (typeof piece === 'string' ? Buffer.byteLength(piece) : textRoom(piece, layout)),
    0,
  );
}

/** The main thread's own: a text of all would stop it for seconds, and may be longer than a string can be. */
function streamHere(
  pieces: readonly (string | TensorValue)[],
  layout: Layout,
  letGo: () => void,
): WrittenAnswer {
  const texts = function* (): Generator<Buffer> {
    for (const piece of pieces) {
      if (typeof piece === 'string') yield Buffer.from(piece);
      else
        for (const text of partTexts(piece, layout === 'nested' ? piece.shape : [piece.data.length]))
          yield text;
    }
  };
  const turns = async function* (): AsyncGenerator<Buffer> {
    for (const text of texts()) {
      yield text;
      await nextTurn();
    }
  };
  const body = Readable.from(turns(), { objectMode: false });
  const release = (): void => {
    letGo();
    body.destroy();
  };
  return { body, release };
}

/** What `numbersText` gives of a tensor that is no scalar, in parts. */
function* partTexts({ dtype, data }: TensorValue, lists: Shape): Generator<Buffer> {
  const sizes = lists.map((_, depth) => numel(lists.slice(depth)));
  const row = sizes.at(-1)!;
  const brackets = (bracket: string, at: number): string =>
    bracket.repeat(sizes.filter((size) => at % size === 0).length);
  let text = '';
  let told = 0;
  let at = 0;
  while (at < data.length) {
    const end = Math.min(at - (at % row) + row, at + HERE_NUMBERS, data.length);
    const numbers = new TensorValue(dtype, [end - at], data.subarray(at, end));
    const inside = numbersText(numbers, [end - at]).slice(1, -1);
    text += `${at > 0 ? ',' : ''}${brackets('[', at)}${inside}${brackets(']', end)}`;
    at = end;
    if (at - told < HERE_NUMBERS && at < data.length) continue;
    yield Buffer.from(text, 'latin1');
    [text, told] = ['', at];
  }
}

function segmentOf(pieces: readonly Piece[]): number | undefined {
  return pieces.find((piece) => piece instanceof HeldTensor)?.segment;
}

function partsOf(tensor: HeldTensor): Part[] {
  const count = numel(tensor.shape);
  return Array.from({ length: Math.ceil(count / PART_NUMBERS) }, (_, i) => ({
    tensor,
    part: { from: i * PART_NUMBERS, to: Math.min(count, (i + 1) * PART_NUMBERS) },
  }));
}

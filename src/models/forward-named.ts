// The forward of a module with several inputs or outputs: one request, one run. It shares its plan with others, and not
// its run.

import { address } from '../graph/run.js';
import { ALIGNMENT } from '../runtime/allocator.js';
import { heldOrCopied } from '../runtime/held-tensor.js';
import { writeTensor } from '../tensor/json.js';
import { byteLength } from '../tensor/shape.js';
import { run, runBatch, type Means, type Member } from './forward.js';
import type { Given } from './given.js';
import type { ModelState } from './state.js';

/** Runs a batch in the way of its recipe; see runBatch. */
export function runMembers(state: ModelState, batch: readonly Member[], means: Means): Promise<void> {
  const [first] = batch as [Member];
  return first.recipe.named ? runNamed(state, first, means) : runBatch(state, batch, means);
}

/** Answers the member, or fails it where its inputs cannot be read. Throws what `runBatch` throws. */
async function runNamed(state: ModelState, member: Member, means: Means): Promise<void> {
  const { plans, panels, workplace } = means;
  const { memory, segment } = workplace;
  const { recipe } = member;
  const known = plans.sized(recipe, recipe.rows);
  const { packed, plan } = known;
  if (packed.length > 0 && panels.lack(packed)) await panels.make(packed);
  let bytes = 0;
  const places = plan.inputs.map(({ shape, dtype }) => {
    const at = bytes;
    bytes += Math.ceil(byteLength(shape, dtype) / ALIGNMENT) * ALIGNMENT;
    return at;
  });
  const room = memory.allocate(bytes + plan.arenaBytes, segment);
  try {
    if (member.over) return;
    const inputs = places.map((at) => room.address + at);
    try {
      plan.inputs.forEach(({ shape, dtype }, i) => {
        const { value, path } = (member.inputs as readonly Given[])[i]!;
        writeTensor(value, memory.view(room.segment, inputs[i]!, shape, dtype).data, path);
      });
    } catch (error) {
      return member.fail(error);
    }
    const place = await run(state, known, { room, inputs, arena: room.address + bytes }, means);
    const values = plan.outputs.map(({ at, shape, dtype }) =>
      heldOrCopied(memory, room, { shape, dtype, address: address(at, place) }),
    );
    const names = recipe.named!.outputs;
    member.answer(names ? Object.fromEntries(names.map((name, i) => [name, values[i]!])) : values[0]!);
  } finally {
    memory.release(room);
  }
}

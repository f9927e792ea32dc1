// A layer's constructor arguments: their kinds, PyTorch's defaults, and Python's way to print them.

/** A Python float whose value is whole (`1.0`), so that it prints as written. */
export class PythonFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** What an option holds once checked; tuples are arrays. */
export type OptionValue = null | boolean | number | string | PythonFloat | readonly OptionValue[];
export type Options = Readonly<Record<string, OptionValue>>;

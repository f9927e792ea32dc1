// torch.nn.init as data: the names, arguments and defaults of every init, and the shape that clients send.
export type InitSpec = { name: string; [argument: string]: unknown };

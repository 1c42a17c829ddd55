/** A program that says when it notices that the network came up or the machine woke. */
import { watchNetwork } from '../../src/remote/network.ts';

watchNetwork(() => console.log('up'), { intervalMs: 50, lateMs: 1_000 });
setInterval(() => undefined, 60_000);
console.log('ready');

/**
 * The datastore under the engine's table. The engine overwrites a newer value
 * with an older one, so every record that comes in is judged here against the
 * one that is there. Everything else (who provides what, addresses) is in memory.
 */
import { Record as TableRecord } from '@libp2p/kad-dht';
import { MemoryDatastore } from 'datastore-core';
import { Key } from 'interface-datastore';
import { GitsyncError } from '../errors.ts';
import type { RecordJudge } from './engine.ts';
import type { RecordTable } from './record-table.ts';

const recordPrefix = '/dht/record/';
const providerPrefix = '/dht/provider/';
/** "Who holds what" from strangers: about 100 bytes each. */
const maxProviderEntries = 50_000;

class TableDatastore extends MemoryDatastore {
  readonly #table: RecordTable;
  readonly #judge: RecordJudge;
  #providerEntries = 0;

  constructor(table: RecordTable, judge: RecordJudge) {
    super();
    this.#table = table;
    this.#judge = judge;
  }

  override put(key: Key, value: Uint8Array): Key {
    const name = recordName(key);
    if (name === undefined) return this.#putOther(key, value);
    const next = TableRecord.deserialize(value);
    this.#judge.admit(Buffer.from(next.key).toString('utf8'), next.value, valueOf(this.#table.get(name)));
    this.#table.put(name, value);
    return key;
  }

  override get(key: Key): Uint8Array {
    const name = recordName(key);
    return (name === undefined ? undefined : this.#table.get(name)) ?? (super.get(key) as Uint8Array);
  }

  override has(key: Key): boolean {
    const name = recordName(key);
    return name === undefined ? (super.has(key) as boolean) : this.#table.has(name);
  }

  override delete(key: Key): void {
    const name = recordName(key);
    if (name !== undefined) return this.#table.delete(name);
    if (super.has(key) && key.toString().startsWith(providerPrefix)) this.#providerEntries -= 1;
    void super.delete(key);
  }

  #putOther(key: Key, value: Uint8Array): Key {
    if (key.toString().startsWith(providerPrefix) && !super.has(key)) {
      if (this.#providerEntries >= maxProviderEntries) throw new GitsyncError('too-large', 'This node keeps no more records of who holds what.');
      this.#providerEntries += 1;
    }
    return super.put(key, value) as Key;
  }
}

/** The value in a stored record; undefined for a file that a power cut has damaged. */
function valueOf(stored: Uint8Array | undefined): Uint8Array | undefined {
  try {
    return stored === undefined ? undefined : TableRecord.deserialize(stored).value;
  } catch {
    return undefined;
  }
}

function recordName(key: Key): string | undefined {
  const text = key.toString();
  return text.startsWith(recordPrefix) ? text.slice(recordPrefix.length) : undefined;
}

/** Makes the datastore over the table. */
export function tableDatastore(table: RecordTable, judge: RecordJudge): MemoryDatastore {
  return new TableDatastore(table, judge);
}

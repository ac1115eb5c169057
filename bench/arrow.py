"""Rows from lines of JSON to Parquet by pyarrow, on one core: the peer of `data build`'s Parquet.

    arrow.py JSONL PARQUET

stdout: {"seconds": S} of the processor, from the lines to the file; loading Python and pyarrow is not in it.
"""

import json
import sys
import time

import pyarrow.json
import pyarrow.parquet


def main():
    lines, file = sys.argv[1:]
    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    begin = time.process_time()
    table = pyarrow.json.read_json(lines, read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=1 << 24))
    pyarrow.parquet.write_table(table, file, compression="zstd")
    print(json.dumps({"seconds": time.process_time() - begin}))


if __name__ == "__main__":
    main()

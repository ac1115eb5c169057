// A worker process for the tests: what `loam engine-worker` is, without the rest of the program.
#include "engine/worker.h"

int main() { return loam::engine::run_worker(); }

// A worker as a program of its own: what `loam engine-worker` is, without the rest of the program.
#include "engine/worker.h"

int main() { return loam::engine::run_worker(); }

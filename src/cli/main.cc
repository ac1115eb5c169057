#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "cli/console.h"
#include "cli/program.h"
#include "engine/worker.h"
#include "env/clock.h"

int main(int argc, char** argv) {
  // A worker gives up nearly everything before it does anything: nothing may run ahead of it.
  if (argc == 2 && std::string_view(argv[1]) == loam::engine::kWorkerVerb)
    return loam::engine::run_worker();
  try {
    loam::cli::Console console = loam::cli::process_console();
    loam::env::SystemClock clock;
    return loam::cli::run_program(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc),
                                  console, clock);
  } catch (const std::exception& error) {
    // Ours throw nothing: this is out of memory, or a library's exception that its home missed.
    loam::log::error("cli", "unexpected exception: {}", error.what());
    return 1;
  }
}

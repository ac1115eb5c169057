#include "cli/program.h"

#include <algorithm>

#include "base/format.h"
#include "cli/command_line.h"
#include "cli/exit_code.h"
#include "cli/verbs.h"

namespace loam::cli {
namespace {

ConsoleOptions with_globals(ConsoleOptions options, const Globals& globals) {
  options.json = globals.json;
  options.quiet = globals.quiet;
  options.yes = globals.yes;
  options.progress = !globals.no_progress;
  return options;
}

int report(Console& console, const Error& error) {
  console.error(error);
  return static_cast<int>(exit_code_of(error.code));
}

}  // namespace

int run_program(const std::vector<std::string>& arguments, Console& console, env::Clock& clock) {
  Globals globals;
  const Verb root = make_root(globals);
  const auto parsed = parse_command_line(root, arguments);
  // A command line that cannot be read may still have said how errors are wanted.
  if (!parsed) globals.json = std::ranges::find(arguments, "--json") != arguments.end();
  console.set_options(with_globals(console.options(), globals));
  if (!parsed) return report(console, parsed.error());

  const Verb& verb = *parsed->verb;
  if (&verb == &root) {
    console.out(overview_text(root));
  } else if (parsed->help) {
    console.out(help_text(verb, parsed->path));
  } else if (!verb.run) {
    return report(console, {ErrorCode::kInvalidArgument, format("{}: a verb is missing", verb.name),
                            format("`{} --help` lists them", parsed->path)});
  } else {
    Invocation invocation{globals, console, root, clock};
    const Result<int> code = verb.run(invocation);
    if (!code) return report(console, code.error());
    if (*code != 0) return *code;
  }
  if (console.intact()) return 0;
  return report(console,
                {ErrorCode::kUnavailable, "write the result: stdout is closed or full", ""});
}

}  // namespace loam::cli

#include "cli/verbs.h"

namespace loam::cli {

Verb make_root(Globals& globals) {
  Verb root;
  root.name = "loam";
  root.summary =
      "Loam runs open models on this machine and answers programs that speak OpenAI's API";
  root.details =
      "Results go to stdout, everything else to stderr. A node is started in the background when a "
      "verb needs one.";
  root.examples = {
      "loam run smollm2 \"Why is the sky blue?\"",
      "loam chat smollm2",
      "loam ls --json",
  };
  root.arguments = {
      {"--home", "DIR", &globals.home, "Keep every file of the node under DIR (or LOAM_HOME).",
       false, Offer::kFiles},
      {"--url", "URL", &globals.url, "Talk to the node at URL (or LOAM_URL)."},
      {"--set", "PATH=VALUE", &globals.sets, "Change a setting for this call; may be repeated.",
       false, Offer::kSettings},
      {"--json", "", &globals.json, "Results and errors as JSON."},
      {"-q,--quiet", "", &globals.quiet, "Only names and ids; no notes."},
      {"--no-progress", "", &globals.no_progress, "No progress display."},
      {"-y,--yes", "", &globals.yes, "Answer questions with yes."},
  };
  root.verbs = {run_verb(),      chat_verb(),    embed_verb(),   share_verb(),      rate_verb(),
                edit_verb(),     retract_verb(), ledger_verb(),  follow_verb(),     data_verb(),
                identity_verb(), train_verb(),   publish_verb(), model_verb(),      channel_verb(),
                rollback_verb(), gate_verb(),    pull_verb(),    ls_verb(),         show_verb(),
                cp_verb(),       rm_verb(),      ps_verb(),      stop_verb(),       serve_verb(),
                up_verb(),       down_verb(),    status_verb(),  doctor_verb(),     key_verb(),
                config_verb(),   env_verb(),     help_verb(),    completion_verb(), version_verb(),
                tour_verb()};
  return root;
}

}  // namespace loam::cli

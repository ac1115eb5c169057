// The verbs of the program, each made where it is implemented.
#pragma once

#include "cli/invocation.h"
#include "cli/verb.h"

namespace loam::cli {

// Answers
Verb run_verb();
Verb chat_verb();
Verb embed_verb();
// Open record
Verb share_verb();
Verb rate_verb();
Verb edit_verb();
Verb retract_verb();
Verb ledger_verb();
Verb follow_verb();
Verb data_verb();
Verb identity_verb();
// Training
Verb train_verb();
Verb tour_verb();
Verb gate_verb();
Verb publish_verb();
Verb model_verb();
Verb channel_verb();
Verb rollback_verb();
// Models
Verb pull_verb();
Verb ls_verb();
Verb show_verb();
Verb cp_verb();
Verb rm_verb();
Verb ps_verb();
Verb stop_verb();
// Node
Verb serve_verb();
Verb up_verb();
Verb down_verb();
Verb status_verb();
Verb doctor_verb();
// Settings
Verb key_verb();
Verb config_verb();
Verb env_verb();
Verb completion_verb();
Verb version_verb();
Verb help_verb();

/// The whole tree; the root's own options fill `globals`, which must outlive it.
Verb make_root(Globals& globals);

}  // namespace loam::cli

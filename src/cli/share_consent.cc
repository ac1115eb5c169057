// share consent: the owner lets requests share their answers by themselves.
#include <memory>

#include "base/format.h"
#include "cli/background.h"
#include "cli/share.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace loam::cli {
namespace {

constexpr const char* kRoute = "/loam/v1/consent";

constexpr std::string_view kWhatHappens =
    "From now on a program may ask, with each request, that the answer be shared. It needs the "
    "owner's token or an API key of scope publish, and you are not asked again. Whatever stands in "
    "such a request becomes public with the answer, after addresses, numbers and keys were masked. "
    "Each waits as if you had shared it (share.cooling, share.batch): `loam share ls` lists them, "
    "and `loam share --cancel ID` takes one back without a trace until then.";

struct ConsentOptions {
  std::optional<std::string> licence, scope;
  bool show = false, withdraw = false;
};

void print_standing(Invocation& invocation, const codec::Value& reply) {
  Console& console = invocation.console;
  if (invocation.globals.json) return console.json(reply);
  const codec::Value* standing = reply.find("standing");
  const bool given = standing != nullptr && !standing->is_null();
  if (invocation.globals.quiet) {
    if (given) console.line(joined(*standing, "licences"));
    return;
  }
  if (!given)
    return console.line("No standing consent: a request that asks to share its answer is refused.");
  console.line(format(
      "Requests may share their answers under {}, scope {} (agreed {}).",
      joined(*standing, "licences"), joined(*standing, "scope"),
      relative_time(parse_time_ms(text_at(*standing, "given_at")), invocation.clock.wall_ms())));
}

Result<codec::Value> give(Invocation& invocation, const NodeClient& client,
                          const ConsentOptions& options) {
  Console& console = invocation.console;
  const ShareTerms terms;  // what is agreed to if nothing is said
  codec::Value request =
      codec::Object{{"licences", words_of(options.licence.value_or(terms.licence))},
                    {"scope", words_of(options.scope.value_or(terms.scope))},
                    {"preview", true}};
  const auto preview = LOAM_TRY(client.post(kRoute, request));
  const codec::Value* example = preview.find("example");
  const codec::Value* header = example == nullptr ? nullptr : example->find("header");
  if (header == nullptr)
    return fail(ErrorCode::kInternal, "share consent: the node sent no example");
  if (!console.options().yes) {
    show_before_asking(
        console, format("{}{}\nLicences: {}. Scope: {}.\n",
                        preview_text(*example, "An example, made up, of what becomes public:"),
                        wrap(kWhatHappens, kPageWidth, 0), joined(request, "licences"),
                        joined(request, "scope")));
  }
  if (!LOAM_TRY(console.ask("Agree, until you take it back with `loam share consent --withdraw`?")))
    return fail(ErrorCode::kCancelled, "share consent: not given, as you wished");
  request.set("preview", false);
  request.set("consent", text_at(*header, "consent"));
  return client.post(kRoute, request);
}

Result<int> consent(Invocation& invocation, const ConsentOptions& options) {
  if (options.show && options.withdraw)
    return fail(ErrorCode::kInvalidArgument, "share consent: either --show or --withdraw");
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  print_standing(invocation, LOAM_TRY(options.show       ? client.get(kRoute)
                                      : options.withdraw ? client.remove(kRoute)
                                                         : give(invocation, client, options)));
  return 0;
}

}  // namespace

Verb share_consent_verb() {
  const auto options = std::make_shared<ConsentOptions>();
  Verb verb;
  verb.name = "consent";
  verb.summary = "Lets requests share their answers by themselves, after showing what that means";
  verb.details =
      "Asked once. Then a request to the API may say {\"commons\": {\"publish\": true, ...}}. "
      "Without "
      "this consent such a request is refused. What is queued already stays so when it is "
      "withdrawn.";
  verb.examples = {"loam share consent --licence CC0-1.0,CC-BY-4.0 --scope eval",
                   "loam share consent --show", "loam share consent --withdraw"};
  verb.arguments = {{"--licence", "LIST", &options->licence,
                     "Licences that a request may name; CC-BY-4.0 if nothing is said."},
                    {"--scope", "LIST", &options->scope,
                     "train, eval, or both, which is what happens if nothing is said."},
                    {"--show", "", &options->show, "Only show what was agreed to."},
                    {"--withdraw", "", &options->withdraw, "Take the consent back."}};
  verb.run = [options](Invocation& invocation) { return consent(invocation, *options); };
  return verb;
}

}  // namespace loam::cli

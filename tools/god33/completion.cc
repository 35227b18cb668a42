#include "tools/god33/completion.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/strings.h"
#include "tools/god33/arguments.h"
#include "wire/registry.h"

namespace god33::cli {
namespace {

constexpr char kZshStart[] = "autoload -U +X bashcompinit && bashcompinit\n";

// Walks over the words so far: a word that continues the path of commands does, others are skipped. No
// variable is called path or words: those are zsh's own.
constexpr char kScriptStart[] =
    "_god33() {\n"
    "  local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[$((COMP_CWORD-1))]}\"\n"
    "  local place=god33 choices='' word\n"
    "  for word in \"${COMP_WORDS[@]:1:$((COMP_CWORD-1))}\"; do\n"
    "    case \"$place $word\" in\n";

std::vector<const CLI::App*> CommandsOf(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<std::string> EventTypes() {
  std::vector<std::string> names;
  const wire::PayloadRegistry registry;
  for (const auto& [name, entry] : registry.entries()) names.push_back(name);
  return names;
}

// The values that an option or a positional may have or is likely to have.
std::vector<std::string> ChoicesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();  // of a set "TEXT:{asc,desc}"
  const std::size_t begin = type.find('{');
  if (begin != std::string::npos && type.back() == '}') {
    return absl::StrSplit(type.substr(begin + 1, type.size() - begin - 2), ',');
  }
  const bool event_type = type == "PATTERN" || option.get_name(/*positional=*/true) == "TYPE";
  return event_type ? EventTypes() : std::vector<std::string>();
}

std::vector<std::string> FlagsOf(const CLI::Option& option) {
  std::vector<std::string> flags;
  for (const std::string& name : option.get_lnames()) flags.push_back("--" + name);
  for (const std::string& name : option.get_snames()) flags.push_back("-" + name);
  return flags;
}

// The words that may follow a command: its commands, its options and what its positionals may be.
std::string WordsOf(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::App* command : CommandsOf(app)) words.push_back(command->get_name());
  for (const CLI::Option* option : app.get_options()) {
    for (std::string& word : option->nonpositional() ? FlagsOf(*option) : ChoicesOf(*option)) {
      words.push_back(std::move(word));
    }
  }
  return absl::StrJoin(words, " ");
}

// The cases of what may follow a command's options. Those of the root may stand behind every command.
std::string ValueCases(const CLI::App& app, const std::string& place) {
  std::string cases;
  for (const CLI::Option* option : app.get_options()) {
    const std::vector<std::string> choices = ChoicesOf(*option);
    if (choices.empty()) continue;
    for (const std::string& flag : FlagsOf(*option)) {
      StrAppend(&cases, "    ", place, "' ", flag, "') choices='", absl::StrJoin(choices, " "),
                "' ;;\n");
    }
  }
  return cases;
}

// Calls `visit` with each command and its path, "god33 event list".
template <typename Visit>
void Walk(const CLI::App& app, const std::string& path, const Visit& visit) {
  visit(app, path);
  for (const CLI::App* command : CommandsOf(app)) {
    Walk(*command, StrCat(path, " ", command->get_name()), visit);
  }
}

}  // namespace

std::string CompletionScript(const CLI::App& root) {
  std::string places;
  std::string words;
  std::string values;
  Walk(root, "god33", [&](const CLI::App& app, const std::string& place) {
    const bool top = &app == &root;
    if (!top) StrAppend(&places, places.empty() ? "" : "|", "'", place, "'");
    StrAppend(&words, "    '", place, "') choices=\"", WordsOf(app), top ? "" : " $global",
              "\" ;;\n");
    values += ValueCases(app, top ? "*" : StrCat("'", place, "'"));
  });
  return StrCat(kScriptStart, "      ", places, ") place=\"$place $word\" ;;\n",
                "    esac\n"
                "  done\n"
                "  local global='-o --output --no-color --api --timeout'\n"
                "  case \"$place\" in\n",
                words,
                "  esac\n"
                "  case \"$place $previous\" in\n",
                values,
                "  esac\n"
                "  COMPREPLY=($(compgen -W \"$choices\" -- \"$current\"))\n"
                "}\n"
                "complete -o default -F _god33 god33\n");
}

void AddCompletionCommand(CLI::App& root, Command& chosen) {
  CLI::App& completion =
      AddCommand(root, "completion", "A script that completes god33 in your shell",
                 "Examples, for ~/.bashrc and ~/.zshrc:\n"
                 "  source <(god33 completion bash)\n"
                 "  source <(god33 completion zsh)     # below compinit");
  const auto shell = std::make_shared<std::string>();
  completion.add_option("SHELL", *shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  completion.callback([shell, &root, &chosen] {
    chosen = [shell, &root](Session& session) {
      if (*shell == "zsh") session.paper.out.Write(kZshStart);
      session.paper.out.Write(CompletionScript(root));
      return session.paper.out.Flush();
    };
  });
}

}  // namespace god33::cli

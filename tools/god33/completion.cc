#include "tools/god33/completion.h"

#include <memory>
#include <vector>

#include "absl/strings/str_join.h"
#include "base/strings.h"
#include "tools/god33/arguments.h"

namespace god33::cli {
namespace {

constexpr char kZshStart[] = "autoload -U +X bashcompinit && bashcompinit\n";

// Walks over the words so far: a word that continues the path of commands does, others are skipped.
constexpr char kScriptStart[] =
    "_god33() {\n"
    "  local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
    "  local path=god33 words='' word\n"
    "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
    "    case \"$path $word\" in\n";

std::vector<const CLI::App*> CommandsOf(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// The words that may follow a command: its commands and its options.
std::string WordsOf(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::App* command : CommandsOf(app)) words.push_back(command->get_name());
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
    for (const std::string& name : option->get_snames()) words.push_back("-" + name);
  }
  return absl::StrJoin(words, " ");
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
  std::string paths;
  std::string cases;
  Walk(root, "god33", [&](const CLI::App& app, const std::string& path) {
    if (&app != &root) StrAppend(&paths, paths.empty() ? "" : "|", "'", path, "'");
    const std::string words = &app == &root ? WordsOf(app) : StrCat(WordsOf(app), " $global");
    StrAppend(&cases, "    '", path, "') words=\"", words, "\" ;;\n");
  });
  return StrCat(kScriptStart, "      ", paths, ") path=\"$path $word\" ;;\n",
                "    esac\n"
                "  done\n"
                "  local global='-o --output --no-color --api --timeout'\n"
                "  case \"$path\" in\n",
                cases,
                "  esac\n"
                "  [ \"$path\" = 'god33 completion' ] && words=\"bash zsh $words\"\n"
                "  case \"$previous\" in\n"
                "    -o|--output) words='table json jsonl yaml' ;;\n"
                "    --order) words='asc desc' ;;\n"
                "    --validate) words='strict warn off' ;;\n"
                "    --state) words='open sent_back dropped all'\n"
                "      [ \"$path\" = 'god33 projection jobs' ] &&\n"
                "        words='running completed cancelled failed' ;;\n"
                "  esac\n"
                "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
                "}\n"
                "complete -o default -F _god33 god33\n");
}

void AddCompletionCommand(CLI::App& root, Command& chosen) {
  CLI::App& completion =
      AddCommand(root, "completion", "A script that completes god33 in your shell",
                 "Example, for ~/.bashrc or ~/.zshrc:\n"
                 "  source <(god33 completion bash)");
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

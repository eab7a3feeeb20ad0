#include "options.h"

#include <boost/program_options.hpp>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <vector>

namespace vfio_setup {
namespace {

namespace po = boost::program_options;

struct Syntax {
  std::set<std::string> options;
  std::size_t least_words;
  std::size_t most_words;
};

const std::map<std::string, Syntax>& commands() {
  static const std::map<std::string, Syntax> table{
      {"list", {{"all", "json"}, 0, 0}},
      {"check", {{"json"}, 0, 0}},
      {"bind", {{"force", "confirm-within", "user", "group", "persist", "dry-run"}, 1, 1}},
      {"confirm", {{}, 0, 0}},
      {"restore", {{"all", "force"}, 0, 1}},
      {"watch", {{}, 2, 2}},
      {"claim", {{}, 1, 1000}},
      {"is-at", {{}, 2, 2}},
  };
  return table;
}

po::options_description known_options(Options& options, std::string& confirm_within) {
  po::options_description known("Options");
  auto add = known.add_options();
  add("help,h", po::bool_switch(&options.help), "print this");
  add("version", po::bool_switch(&options.version), "print the version");
  add("all", po::bool_switch(&options.all), "list: every device; restore: every binding");
  add("json", po::bool_switch(&options.json), "list, check: as JSON");
  add("force", po::bool_switch(&options.force),
      "bind: even what is in use; restore: end the VM that uses it");
  add("confirm-within", po::value(&confirm_within)->value_name("TIME"),
      "bind: give it back after TIME (120s, 2m) unless `vfio-setup confirm` comes; a VM that "
      "uses it then is ended");
  add("user", po::value(&options.user)->value_name("NAME"), "bind: owner of /dev/vfio/GROUP");
  add("group", po::value(&options.group)->value_name("NAME"), "bind: group of /dev/vfio/GROUP");
  add("persist", po::bool_switch(&options.persist), "bind: from the next boot on, too");
  add("dry-run", po::bool_switch(&options.dry_run), "bind: only print what would be done");
  return known;
}

void check_command(const Options& options, const std::vector<std::string>& words,
                   const po::parsed_options& parsed) {
  const auto command = commands().find(options.command);
  if (command == commands().end()) {
    throw UsageError(options.command.empty() ? "no command"
                                             : "unknown command '" + options.command + "'");
  }
  for (const po::option& option : parsed.options) {
    if (option.position_key >= 0 || command->second.options.contains(option.string_key)) continue;
    throw UsageError("'" + options.command + "' takes no option --" + option.string_key);
  }
  const std::size_t count = words.size() - 1;
  if (count < command->second.least_words || count > command->second.most_words) {
    throw UsageError("wrong number of arguments for '" + options.command + "'");
  }
  if (options.command == "restore" && (count == 1) == options.all) {
    throw UsageError("restore takes either an address or --all");
  }
}

}  // namespace

std::chrono::seconds parse_duration(const std::string& text) {
  std::smatch parts;
  if (!std::regex_match(text, parts, std::regex("([0-9]{1,6})(s|m|h)?"))) {
    throw UsageError("'" + text + "' is no time: 120s, 2m or 1h");
  }
  const std::chrono::seconds unit(parts[2] == "h" ? 3600 : parts[2] == "m" ? 60 : 1);
  const auto duration = std::stol(parts[1]) * unit;
  if (duration == std::chrono::seconds(0)) throw UsageError("a time of 0 leaves none to confirm");
  return duration;
}

Options parse_options(int argc, const char* const* argv) try {
  Options options;
  std::string confirm_within;
  std::vector<std::string> words;
  po::options_description all = known_options(options, confirm_within);
  all.add_options()("words", po::value(&words));
  po::positional_options_description positions;
  positions.add("words", -1);
  const po::parsed_options parsed =
      po::command_line_parser(argc, argv).options(all).positional(positions).run();
  po::variables_map values;
  po::store(parsed, values);
  po::notify(values);
  if (options.help || options.version) return options;
  if (!words.empty()) options.command = words[0];
  if (words.size() > 1) {
    options.address = words[1];
    options.words.assign(words.begin() + 1, words.end());
  }
  if (words.size() > 2) options.token = words[2];
  check_command(options, words, parsed);
  if (!confirm_within.empty()) options.confirm_within = parse_duration(confirm_within);
  return options;
} catch (const po::error& error) {
  throw UsageError(error.what());
}

std::string usage() {
  Options options;
  std::string confirm_within;
  std::ostringstream text;
  text << "usage: vfio-setup COMMAND\n"
          "  list [--all] [--json]   NICs, and whether they can be given to a VM\n"
          "  check [--json]          whether this machine can give devices to VMs\n"
          "  bind ADDRESS|auto       give a NIC, with its whole IOMMU group, to vfio-pci\n"
          "  confirm                 keep what was bound with --confirm-within\n"
          "  restore ADDRESS|--all   give it back to the driver it had\n"
          "Exit status: 0 done; 1 refused or failed (check: something is missing); 2 wrong usage.\n"
       << known_options(options, confirm_within);
  return text.str();
}

}  // namespace vfio_setup

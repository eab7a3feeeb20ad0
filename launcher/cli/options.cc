#include "cli/options.h"

#include <fcntl.h>

#include <boost/program_options.hpp>
#include <map>
#include <set>
#include <sstream>

namespace launcher {
namespace {

namespace po = boost::program_options;

constexpr const char* kIntroduction =
    R"(launcher: runs VMs and the switches between them, from one file.
Usage:
  launcher check FILE           look at a topology, start nothing
  launcher up FILE [VM...]      start it (those VMs and what they depend on) and stay; ^C ends it, a second one by force
  launcher run FILE VM          one VM, on a switch that runs already; ends when the VM does
Against a running one:
  launcher status               what runs
  launcher start [VM...]        with what they depend on
  launcher stop VM              power button, wait, shutdown, kill
  launcher restart VM
  launcher console VM           its serial console; Ctrl-] leaves
  launcher logs VM              what became of it; --console: what its console said; -f: go on
  launcher add-net VM           a further interface, while it runs
  launcher add-device VM PCI-ADDRESS
  launcher remove-device VM ID  what add-net and add-device have added
  launcher down                 everything, in reverse order

)";

constexpr const char* kEpilogue = R"(
The shortest topology that is of use, a router that has the network card and a client:
  [defaults]
  kernel = "vmlinuz"
  [[vm]]
  name = "router"
  initramfs = "router.initramfs"
  devices = ["auto"]
  [vm.router]
  [[vm]]
  name = "app"
  initramfs = "app.initramfs"
  depends = ["router"]
docs/topology.toml explains every key.

As root every VM runs as a user of its own and its device is given to it by vfio-setup. The state
directory, with the sockets, is /run/launcher/NAME for root, else $XDG_RUNTIME_DIR/launcher/NAME.
Exit status: 0 done, 1 failed, 2 wrong usage or topology.
)";

struct Syntax {
  std::set<std::string> options;
  size_t least;
  size_t most;
};

const std::map<std::string, Syntax>& commands() {
  constexpr size_t kAny = 1000;
  static const std::map<std::string, Syntax> table = {
      {"check", {{"json"}, 1, 1}},
      {"up", {{"switchd", "vfio-setup", "vmm", "ready-fd"}, 1, kAny}},
      {"run", {{"vfio-setup", "vmm", "ready-fd"}, 2, 2}},
      {"status", {{"json"}, 0, 0}},
      {"start", {{"json"}, 0, kAny}},
      {"stop", {{"json", "with-dependents"}, 1, 1}},
      {"restart", {{"json", "with-dependents"}, 1, 1}},
      {"console", {{}, 1, 1}},
      {"logs", {{"follow", "console"}, 1, 1}},
      {"add-net", {{"json", "segment", "mac", "mtu", "queues", "isolated"}, 1, 1}},
      {"add-device", {{"json"}, 2, 2}},
      {"remove-device", {{"json"}, 2, 2}},
      {"down", {{}, 0, 0}},
  };
  return table;
}

po::options_description described(Options& options, int& ready_fd) {
  po::options_description text("Options");
  const auto path = [](std::filesystem::path& target) {
    return po::value<std::string>()->value_name("PATH")->notifier(
        [&target](const std::string& value) { target = value; });
  };
  text.add_options()                                                 //
      ("help,h", po::bool_switch(&options.help), "this text")        //
      ("version", po::bool_switch(&options.version), "the version")  //
      ("state-dir", path(options.state_dir), "the state directory")  //
      ("topology,t", po::value(&options.topology)->value_name("NAME"),
       "which of the running topologies; not needed when there is one")  //
      ("switchd", path(options.switchd), "up: the switch to start")      //
      ("vfio-setup", path(options.vfio_setup), "up, run: the program")   //
      ("vmm", po::value(&options.vmm)->value_name("NAME"),
       "up, run: cloud-hypervisor or qemu for all, whatever the file says")  //
      ("ready-fd", po::value(&ready_fd)->value_name("N"),
       "up, run: write a newline to descriptor N once all is up")  //
      ("with-dependents", po::bool_switch(&options.with_dependents),
       "stop, restart: also what depends on it")                                               //
      ("json", po::bool_switch(&options.json), "the answer as JSON")                           //
      ("follow,f", po::bool_switch(&options.follow), "logs: go on")                            //
      ("console", po::bool_switch(&options.console), "logs: of the console")                   //
      ("segment", po::value(&options.segment)->value_name("NAME"), "add-net: the segment")     //
      ("mac", po::value(&options.mac)->value_name("MAC"), "add-net: else made from the name")  //
      ("mtu", po::value(&options.mtu)->value_name("BYTES"), "add-net")                         //
      ("queues", po::value(&options.queues)->value_name("N"), "add-net: pairs of queues")      //
      ("isolated",
       po::value<bool>()->implicit_value(true)->value_name("yes|no")->notifier(
           [&](bool is) { options.isolated = is; }),
       "add-net: reaches only ports that are not isolated; the default on a router's segment");
  return text;
}

void check_command(const Options& options, const po::parsed_options& parsed) {
  const auto command = commands().find(options.command);
  if (command == commands().end()) {
    throw UsageError(options.command.empty() ? "a command is missing"
                                             : "there is no command '" + options.command + "'");
  }
  static const std::set<std::string> kEverywhere = {"state-dir", "topology", "help", "version"};
  for (const po::option& option : parsed.options) {
    if (option.position_key >= 0 || kEverywhere.contains(option.string_key)) continue;
    if (command->second.options.contains(option.string_key)) continue;
    throw UsageError("'" + options.command + "' takes no option --" + option.string_key);
  }
  const size_t count = options.words.size();
  if (count < command->second.least || count > command->second.most) {
    throw UsageError("wrong number of arguments for '" + options.command + "'");
  }
}

void set_ready_fd(Options& options, int fd) {
  if (fd < 0) return;
  if (fcntl(fd, F_GETFD) < 0) {
    throw UsageError("--ready-fd: descriptor " + std::to_string(fd) +
                     " is not open; write: launcher up --ready-fd 3 FILE 3>READY");
  }
  options.ready_fd = fd;
}

}  // namespace

Options parse_options(int argc, const char* const argv[]) try {
  Options options;
  int ready_fd = -1;
  std::vector<std::string> words;
  po::options_description all = described(options, ready_fd);
  all.add_options()("words", po::value(&words));
  po::positional_options_description positions;
  positions.add("words", -1);
  constexpr int kStyle =
      po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
  const po::parsed_options parsed =
      po::command_line_parser(argc, argv).options(all).positional(positions).style(kStyle).run();
  po::variables_map values;
  po::store(parsed, values);
  po::notify(values);
  if (options.help || options.version) return options;
  if (!words.empty()) {
    options.command = words[0];
    options.words.assign(words.begin() + 1, words.end());
  }
  check_command(options, parsed);
  set_ready_fd(options, ready_fd);
  return options;
} catch (const po::error& error) {
  throw UsageError(error.what());
}

std::string help_text() {
  Options options;
  int ready_fd = -1;
  std::ostringstream text;
  text << kIntroduction << described(options, ready_fd) << kEpilogue;
  return text.str();
}

}  // namespace launcher

#!/bin/sh
# First program of the play host after its initramfs: process 1, or what makes systemd that, and
# the agent that runs the test's commands.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
read -r command_line < /proc/cmdline
for option in $command_line; do
  case $option in
    playhost.agent=*) agent=${option#playhost.agent=} ;;
    playhost.systemd=1) systemd=1 ;;
  esac
done

if [ -n "$systemd" ]; then
  # What the machine itself has enabled is none of its business; what the test enables stays.
  [ -e /etc/systemd/system/playhost-agent.service ] || rm -rf /etc/systemd/system/*.wants
  mkdir -p /etc/systemd/system/basic.target.wants
  cat > /etc/systemd/system/playhost-agent.service <<UNIT
[Unit]
Description=Commands of the test
[Service]
ExecStart=/usr/bin/python3 $agent
KillMode=process
LimitMEMLOCK=infinity
UNIT
  ln -sf ../playhost-agent.service /etc/systemd/system/basic.target.wants/
  umount /sys/fs/cgroup
  exec /lib/systemd/systemd
fi

# This shell stays process 1: it reaps what is orphaned. Its end is the end of the play host.
/usr/bin/python3 -S -E "$agent" &
wait

"""What guest images are made of.

  packages  Debian packages, downloaded into a cache and unpacked there
  elf       which libraries a program needs
  tree      the files of an image, and where they come from
  modules   a kernel's modules with what they depend on
  firmware  the files that those modules ask for
  cpio      the archive that the kernel unpacks
  recipe    what goes into which image
"""

execute 'env > /run/environment; mount -t tmpfs none /mnt && mkdir -p /run/made-by-recipe && mount -t tmpfs none /run/made-by-recipe; umount /mnt'

# Makes small images and pushes them by plain HTTP, with curl: what `docker push` does, in a few lines.

# The digest of a file.
digest() { echo "sha256:$(sha256sum "$1" | cut -d' ' -f1)"; }

# A layer with one file of random bytes.
layer() { # FILE MEGABYTES
  local folder
  folder=$(mktemp -d -p "$work")
  head -c "$(($2 * 1000 * 1000))" /dev/urandom >"$folder/data"
  tar -C "$folder" -cf "$1" data
  rm -r "$folder"
}

blob() { # REGISTRY REPOSITORY FILE
  local to=http://$1/v2/$2/blobs name location
  name=$(digest "$3")
  curl -sfI "$to/$name" >/dev/null && return
  location=$(curl -sf -X POST -o /dev/null -D - "$to/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
  curl -sf -X PUT -T "$3" -H 'Content-Type: application/octet-stream' "$location&digest=$name" >/dev/null
}

# An image of these layers, pushed under a tag.
image() { # REGISTRY REPOSITORY TAG LAYER...
  local registry=$1 repository=$2 tag=$3 file diffs='' layers=''
  local oci=application/vnd.oci.image
  shift 3
  for file in "$@"; do
    blob "$registry" "$repository" "$file"
    diffs+="\"$(digest "$file")\","
    layers+="{\"mediaType\":\"$oci.layer.v1.tar\",\"digest\":\"$(digest "$file")\",\"size\":$(stat -c %s "$file")},"
  done
  cat >"$work/config" <<JSON
{"os":"linux","architecture":"amd64","config":{"Labels":{"tag":"$tag"}},"rootfs":{"type":"layers","diff_ids":[${diffs%,}]}}
JSON
  blob "$registry" "$repository" "$work/config"
  cat >"$work/manifest" <<JSON
{"schemaVersion":2,"mediaType":"$oci.manifest.v1+json",
 "config":{"mediaType":"$oci.config.v1+json","digest":"$(digest "$work/config")","size":$(stat -c %s "$work/config")},
 "layers":[${layers%,}]}
JSON
  curl -sf -X PUT -T "$work/manifest" -H "Content-Type: $oci.manifest.v1+json" \
    "http://$registry/v2/$repository/manifests/$tag" >/dev/null
}

# The digest that a tag has at a registry.
tag_digest() { # REGISTRY REPOSITORY TAG
  curl -sfI -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$1/v2/$2/manifests/$3" |
    tr -d '\r' | sed -n 's/^[Dd]ocker-[Cc]ontent-[Dd]igest: //p'
}

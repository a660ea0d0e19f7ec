/**
 * Expands `$(NAME)` as Kubernetes does in env values, commands and arguments: known names are replaced, unknown ones stay as they are,
 * `$$` stands for `$`. Source: k8s.io/kubernetes/third_party/forked/golang/expansion.
 */
export function expand(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(/\$(?:\$|\(([^()]*)\))/g, (match, name: string | undefined) => {
    if (name === undefined) return "$";
    return variables[name] ?? match;
  });
}

/** The images list of `/panel/images`. */

export interface ImageRow {
  id: string;
  tags: string[];
  created: string;
  size: number;
  layers: number;
  /** Names of the containers that use it. */
  containers: string[];
}
